//! What is wrong with a rule, and exactly where.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A file of rules, lists or calendars.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// How the user knows it: a path.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// How bad a diagnostic is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Works, but probably not as meant.
    Warning,
    /// The rule is refused.
    Error,
}

/// The code of everything that no lint found: it cannot be understood.
pub const INVALID: &str = "invalid";

/// A message about a place in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad.
    pub severity: Severity,
    /// Which lint found it, such as `no-level`; [`INVALID`] for what cannot be understood.
    pub code: &'static str,
    /// What is wrong, in lower case, without a period.
    pub message: String,
    /// The file.
    pub source: Arc<Source>,
    /// Bytes in it.
    pub span: Range<usize>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(source: &Arc<Source>, span: Range<usize>, message: impl Into<String>) -> Self {
        // Whoever renders the place slices the text there.
        let text = source.text.as_str();
        let start = text.floor_char_boundary(span.start);
        let span = start..text.ceil_char_boundary(span.end.max(start));
        Self {
            severity: Severity::Error,
            code: INVALID,
            message: message.into(),
            source: Arc::clone(source),
            span,
            help: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What a lint found: a warning.
    pub fn lint(
        code: &'static str,
        source: &Arc<Source>,
        span: Range<usize>,
        message: impl Into<String>,
    ) -> Self {
        Self { code, ..Self::error(source, span, message).warning() }
    }

    /// A warning instead of an error.
    #[must_use]
    pub const fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Line and column, from 1, in characters.
    pub fn line_column(&self) -> (usize, usize) {
        self.place_of(self.span.start)
    }

    /// The same of the end: one behind the last character.
    pub fn end_line_column(&self) -> (usize, usize) {
        self.place_of(self.span.end)
    }

    fn place_of(&self, at: usize) -> (usize, usize) {
        let before = self.source.text.get(..at).unwrap_or(&self.source.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_column();
        write!(f, "{}:{line}:{column}: {}", self.source.name, self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}
