//! What a command does to the prompts and lines behind it.

use model::Command;

use super::super::prompt::Template;
use super::super::{repl, simple};

/// Is a new prompt due?
#[derive(Clone, Debug, Default)]
pub(super) enum Due {
    /// No: only those that are known.
    #[default]
    Nothing,
    /// A shell may have been started, whose prompt can be any.
    Any,
    /// The prompt was changed to this.
    This(Template),
}

impl Due {
    pub(super) const fn is_any(&self) -> bool {
        !matches!(self, Self::Nothing)
    }

    pub(super) const fn template(&self) -> Option<&Template> {
        match self {
            Self::This(template) => Some(template),
            Self::Nothing | Self::Any => None,
        }
    }
}

/// What a command does to the prompts that are due.
pub(super) struct Effect {
    pub(super) due: Due,
    pub(super) leaving: bool,
    /// It may keep the line editor from marking.
    pub(super) unmarks: bool,
    /// It changes what prompts show: the directory, an environment, a branch.
    pub(super) repaints: bool,
    /// It starts a program that reads lines of its own.
    pub(super) repl: Option<&'static str>,
}

impl Effect {
    pub(super) fn of(command: &Command) -> Self {
        let text = command.text.as_str();
        let due = match Template::of_assignment(text) {
            Some(template) => Due::This(template),
            None if simple::starts_a_shell(text)
                || text.contains("PS1")
                || text.contains("PROMPT") =>
            {
                Due::Any
            }
            None => Due::Nothing,
        };
        let first = text.split(|c: char| c.is_whitespace() || c == ';').next().unwrap_or_default();
        let repaints = matches!(
            first,
            "cd" | "pushd"
                | "popd"
                | "source"
                | "."
                | "conda"
                | "workon"
                | "deactivate"
                | "git"
                | "nvm"
                | "rvm"
                | "eval"
        ) || text.contains("cd ")
            || text.contains("PS1=");
        let unmarks =
            ["bracketed-paste", "+o emacs", "+o vi", "noediting", "INPUTRC", "inputrc", "TERM="]
                .iter()
                .any(|sign| text.contains(sign));
        let leaving = matches!(first, "exit" | "logout");
        Self { due, leaving, unmarks, repaints, repl: repl::of(text) }
    }
}
