//! `ssm-audit completions SHELL`

use std::io::{self, Write as _};

use clap::CommandFactory as _;

use crate::args::{Args, CompletionsArgs};
use crate::exit::{Failure, Outcome};

pub(crate) fn run(args: &CompletionsArgs) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "ssm-audit", &mut script);
    io::stdout().write_all(&script)?;
    Ok(Outcome::Done)
}
