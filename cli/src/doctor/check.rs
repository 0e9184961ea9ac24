//! A check and what came of it.

use serde::Serialize;

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// As it should be.
    Ok,
    /// Worth a look.
    Warn,
    /// It could not be looked at.
    Unknown,
    /// Something will be missing from the audit trail.
    Fail,
}

/// A check.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    /// What it is about: `preferences`, `documents`, `trail`, `bucket`, `function`.
    pub(crate) area: &'static str,
    /// What was looked at.
    pub(crate) subject: String,
    pub(crate) state: State,
    /// What was seen, and why it matters.
    pub(crate) found: String,
    /// The command that mends it.
    pub(crate) mend: Option<String>,
}

/// The checks of one area.
pub(crate) struct Checks {
    area: &'static str,
    pub(crate) all: Vec<Check>,
}

impl Checks {
    pub(crate) const fn new(area: &'static str) -> Self {
        Self { area, all: Vec::new() }
    }

    pub(crate) fn note(
        &mut self,
        state: State,
        subject: impl Into<String>,
        found: impl Into<String>,
        mend: Option<String>,
    ) {
        let (subject, found) = (subject.into(), found.into());
        self.all.push(Check { area: self.area, subject, state, found, mend });
    }

    pub(crate) fn ok(&mut self, subject: impl Into<String>, found: impl Into<String>) {
        self.note(State::Ok, subject, found, None);
    }

    pub(crate) fn warn(
        &mut self,
        subject: impl Into<String>,
        found: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.note(State::Warn, subject, found, Some(mend.into()));
    }

    pub(crate) fn fail(
        &mut self,
        subject: impl Into<String>,
        found: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.note(State::Fail, subject, found, Some(mend.into()));
    }

    /// The service did not answer, or not this caller.
    pub(crate) fn unknown(
        &mut self,
        subject: impl Into<String>,
        error: impl std::error::Error + 'static,
    ) {
        let found = aws::told(&error);
        if found.contains("no credentials found") {
            let mend = "`aws sso login` with AWS_PROFILE set, or AWS_ACCESS_KEY_ID and its like; `aws sts get-caller-identity` tells";
            let found = "could not be looked at: there are no AWS credentials here";
            self.note(State::Unknown, subject, found, Some(mend.to_owned()));
            return;
        }
        let mend = "deploy/iam/doctor.json has the permissions that this takes".to_owned();
        self.note(State::Unknown, subject, format!("could not be looked at: {found}"), Some(mend));
    }
}
