//! `ssm-audit rules schema`

use std::io::Write as _;

use super::args::{SchemaArgs, SchemaKind};
use crate::exit::{Failure, Outcome};

pub(crate) fn run(args: &SchemaArgs) -> Result<Outcome, Failure> {
    let schema = match args.kind {
        SchemaKind::Rule => include_str!("../../../docs/schema/rule.schema.json"),
        SchemaKind::Cases => include_str!("../../../docs/schema/cases.schema.json"),
    };
    anstream::stdout().write_all(schema.as_bytes())?;
    Ok(Outcome::Done)
}
