//! `ssm-audit rules …`: for those who write rules. One file for each subcommand.

pub(crate) mod args;
mod check;
mod docs;
mod explain;
mod list;
mod new;
mod schema;
mod test;

use std::path::Path;

use pipeline::pack::{self, Opened};
use rules::Pack;

use self::args::{RulesArgs, RulesCommand};
use crate::exit::{Failure, Outcome};

pub(crate) fn run(args: &RulesArgs) -> Result<Outcome, Failure> {
    match &args.command {
        RulesCommand::Check(args) => check::run(args),
        RulesCommand::Test(args) => test::run(args),
        RulesCommand::Explain(args) => explain::run(args),
        RulesCommand::List(args) => list::run(args),
        RulesCommand::New(args) => new::run(args),
        RulesCommand::Docs(args) => docs::run(args),
        RulesCommand::Schema(args) => schema::run(args),
    }
}

/// Opens the pack that a path is, or is a part of.
fn open(path: Option<&Path>) -> Result<(Opened, Pack), Failure> {
    let opened = pack::open(path).map_err(|error| Failure::usage(error.to_string()))?;
    if opened.files.is_empty() && opened.unreadable.is_empty() {
        let path = path.unwrap_or(Path::new("rules.d")).display();
        return Err(Failure::usage(format!("there are no .yml files in {path}")));
    }
    let mut pack = Pack::read(opened.files.clone());
    pack.problems.extend(opened.unreadable.iter().cloned());
    Ok((opened, pack))
}
