//! Exit codes, and the one place where an error reaches the user.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 0: done.
    Done,
    /// 1: findings at or above `--fail-on`.
    Findings,
    /// 2: the arguments or the rules are wrong; nothing was done.
    Usage,
    /// 3: some input could not be read.
    Incomplete,
}

/// What ended a run before its end.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) message: String,
    pub(crate) outcome: Outcome,
}

impl Failure {
    /// The arguments are wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: message.into(), outcome: Outcome::Usage }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        // `ssm-audit … | head` closed the pipe: it has what it wanted.
        let outcome = match error.kind() {
            io::ErrorKind::BrokenPipe => Outcome::Done,
            _ => Outcome::Incomplete,
        };
        Self { message: error.to_string(), outcome }
    }
}

const ERROR: Style = AnsiColor::Red.on_default().bold();

/// Renders what went wrong and gives the process's exit code.
pub(crate) fn code(result: Result<Outcome, Failure>) -> ExitCode {
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(failure) => {
            if failure.outcome != Outcome::Done {
                tell(&format!("{ERROR}error{ERROR:#}: {}", failure.message));
            }
            failure.outcome
        }
    };
    ExitCode::from(match outcome {
        Outcome::Done => 0,
        Outcome::Findings => 1,
        Outcome::Usage => 2,
        Outcome::Incomplete => 3,
    })
}

/// A line on standard error.
pub(crate) fn tell(line: &str) {
    // If even this cannot be written, there is nobody left to tell.
    let _ = writeln!(anstream::stderr(), "{line}");
}
