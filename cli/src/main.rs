//! The terminal shell: arguments → verbs → exit code. One file for each subcommand.

mod alerts;
mod args;
mod athena;
mod backfill;
mod backtest;
mod commands;
mod compact;
mod completions;
mod diagnostics;
mod doctor;
mod exit;
mod ingest;
mod input;
mod man;
mod report;
mod rules;
mod scan;
mod sweep;
mod timeline;
mod verify;
mod views;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command};

fn main() -> ExitCode {
    let args = Args::parse();
    args.color.apply();
    let result = match args.command {
        Command::Scan(args) => scan::run(&args),
        Command::Ingest(args) => ingest::run(&args),
        Command::Sweep(args) => sweep::run(&args),
        Command::Sessions(args) => views::sessions(&args),
        Command::Coverage(args) => views::coverage(&args),
        Command::Access(args) => views::access(&args),
        Command::Report(args) => report::run(&args),
        Command::Backfill(args) => backfill::run(&args),
        Command::Compact(args) => compact::run(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Commands(args) => commands::run(&args),
        Command::Timeline(args) => timeline::run(&args),
        Command::Rules(args) => rules::run(&args),
        Command::Backtest(args) => backtest::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man => man::run(),
    };
    exit::code(result)
}
