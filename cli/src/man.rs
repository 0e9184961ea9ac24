//! `ssm-audit man`: one page with all subcommands.

use std::io::{self, Write as _};

use clap::CommandFactory as _;

use crate::args::Args;
use crate::exit::{Failure, Outcome};

pub(crate) fn run() -> Result<Outcome, Failure> {
    let mut command = Args::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        let named = sub.clone().name(format!("ssm-audit {}", sub.get_name()));
        let man = clap_mangen::Man::new(named);
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
        man.render_extra_section(&mut page)?;
    }
    io::stdout().write_all(&page)?;
    Ok(Outcome::Done)
}
