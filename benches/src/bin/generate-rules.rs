//! Writes many rules made of a few real ones, for other engines to be measured on.
//!
//! `cargo run --release -p ssm-audit-benches --bin generate-rules -- OUT --from RULES --count 1000`

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::Parser;
use pipeline::pack;
use ssm_audit_benches::mutate::{self, Kind};

#[derive(Parser)]
struct Args {
    /// Where to put them, one a file.
    out: PathBuf,
    /// Files and directories of rules to make many of.
    #[arg(long, required = true)]
    from: Vec<PathBuf>,
    /// How many.
    #[arg(long, default_value_t = 1000)]
    count: usize,
    /// How the copies differ.
    #[arg(long, value_enum, default_value_t = Kind::Disjoint)]
    kind: Kind,
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let mut files = Vec::new();
    for path in &args.from {
        files.extend(pack::files(path)?);
    }
    fs::create_dir_all(&args.out)?;
    let rules = mutate::rules(&mutate::documents(&files), args.count, args.kind);
    for (at, rule) in rules.iter().enumerate() {
        fs::write(args.out.join(format!("{at:05}.yml")), rule.to_string())?;
    }
    Ok(())
}
