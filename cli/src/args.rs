//! The command line. Parsing touches nothing; what needs a clock or a file is resolved by the subcommand.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use model::Level;

/// Audit AWS Session Manager: who accessed which node, when, what did they run, and was it allowed?
#[derive(Debug, Parser)]
#[command(name = "ssm-audit", version, max_term_width = 100, propagate_version = true)]
#[command(
    after_help = "Exit codes: 0 done · 1 findings at or above --fail-on · 2 wrong arguments or rules · \
3 some input could not be read"
)]
pub(crate) struct Args {
    /// When to use colour.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Read logs, evaluate the rules, print what they find.
    Scan(ScanArgs),
    /// Read logs once and keep what they tell as facts, in a store.
    Ingest(crate::ingest::IngestArgs),
    /// Find what the facts of a store come to together: correlations, sessions, gaps.
    Sweep(crate::sweep::SweepArgs),
    /// List the sessions of a store: who, where, when, and whether it was recorded.
    Sessions(crate::views::SessionsArgs),
    /// Say how many sessions are recorded, and name each that is not, with the reason.
    Coverage(crate::views::CoverageArgs),
    /// List who had sessions on which node.
    Access(crate::views::AccessArgs),
    /// Write the report of a month: access, commands, findings, every gap, controls, one page for an auditor.
    Report(Box<crate::report::ReportArgs>),
    /// Feed the objects of years to the function's queue.
    Backfill(crate::backfill::BackfillArgs),
    /// Put many small files of facts together into few, beside whoever reads and writes.
    Compact(crate::compact::CompactArgs),
    /// Look whether a report is what it was, or a trail what CloudTrail wrote.
    Verify(crate::verify::VerifyArgs),
    /// Print the commands that people ran, reconstructed from transcripts.
    Commands(CommandsArgs),
    /// Show sessions as they went: who, where, each command, and what was found or hidden.
    Timeline(TimelineArgs),
    /// Check, test, explain, list and begin rules.
    Rules(crate::rules::args::RulesArgs),
    /// Say what rules would have found: per day, by whom, and what changes against the rules in use.
    Backtest(crate::backtest::BacktestArgs),
    /// Look whether an account records its sessions: preferences, documents, trails, buckets, the function.
    Doctor(crate::doctor::DoctorArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
    /// Print the manual page (roff).
    Man,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless `NO_COLOR` is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    pub(crate) fn apply(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people: grouped by rule, the gravest first.
    Text,
    /// NDJSON: one finding a line.
    Json,
    /// CSV with a header.
    Csv,
}

/// Which rules.
#[derive(Debug, clap::Args)]
pub(crate) struct PackArgs {
    /// Rules: a directory or a file. Default: the pack that ships.
    #[arg(long, value_name = "DIR", env = "SSM_AUDIT_RULES")]
    pub(crate) rules: Option<PathBuf>,
    /// Go on without the rules that are wrong, instead of not beginning.
    #[arg(long)]
    pub(crate) skip_invalid_rules: bool,
}

impl PackArgs {
    /// Reads and compiles them.
    pub(crate) fn compile(&self) -> Result<rules::RuleSet, crate::exit::Failure> {
        crate::input::rules(self.rules.as_deref(), Some(self.skip_invalid_rules))
    }
}

const SCAN_EXAMPLES: &str = "\
Examples:
  ssm-audit scan examples/month
      everything below a directory, with the rules that ship
  ssm-audit scan --rules ./rules.d --level medium cloudtrail/ sessions/
      your own rules, nothing below medium
  aws cloudtrail lookup-events --output json | ssm-audit scan -
      what a command prints
  ssm-audit scan --format json --since 7d logs/ | jq -r '[.time, .principal, .rule_title] | @tsv'
      for other programs
  ssm-audit scan --fail-on high logs/
      exit code 1 if anything grave is found

What is read, told by content, gzip or not: CloudTrail files, NDJSON or arrays of records, lookup-events
output, EventBridge events, CloudWatch Logs exports and filter-log-events output, Session Manager
transcripts from S3 or CloudWatch Logs, and the agent's own ipcTempFile.log.

Exit codes: 0 done · 1 findings at or above --fail-on (even if some input could not be read) ·
2 wrong arguments or rules · 3 some input could not be read";

#[derive(Debug, clap::Args)]
#[command(after_long_help = SCAN_EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct ScanArgs {
    /// Files, directories (with all below), or `-` for standard input.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) pack: PackArgs,
    /// How to print findings.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Leave out findings of a milder level.
    #[arg(long, value_name = "LEVEL", default_value = "informational")]
    pub(crate) level: Level,
    /// Leave out what happened before: a time, a date, or an age such as `7d` or `12h`.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Leave out what happened from then on.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Exit with 1 if there is a finding of this level or a graver one.
    #[arg(long, value_name = "LEVEL")]
    pub(crate) fail_on: Option<Level>,
    /// Time zone for text output and for dates in --since and --until: an IANA name, `UTC` or `local`.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub(crate) timezone: String,
    /// Findings shown for each rule in text output.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) per_rule: usize,
    /// Show secrets. They are otherwise masked, each with a fingerprint of its own.
    #[arg(long)]
    pub(crate) reveal: bool,
    /// Threads. Default: as many as there are processors.
    #[arg(long, short, value_name = "N")]
    pub(crate) jobs: Option<std::num::NonZeroUsize>,
    /// Bytes that one input may inflate to; more is refused.
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 30)]
    pub(crate) max_inflated: u64,
    /// Name every input that was left out, not only how many.
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// No progress and no summary.
    #[arg(long, short, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CommandsFormat {
    /// For people.
    Text,
    /// NDJSON: one command a line.
    Json,
}

const COMMANDS_EXAMPLES: &str = "\
Examples:
  ssm-audit commands examples/month/sessions
      everything that was run in these sessions
  ssm-audit commands --format json session.log | jq -r 'select(.status == \"executed\") | .text'
      for other programs

Exit codes: 0 done · 2 wrong arguments · 3 some input could not be read";

#[derive(Debug, clap::Args)]
#[command(after_long_help = COMMANDS_EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct CommandsArgs {
    /// Transcripts: files, directories (with all below), or `-` for standard input.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Show secrets. They are otherwise masked, each with a fingerprint of its own.
    #[arg(long)]
    pub(crate) reveal: bool,
    /// How to print commands.
    #[arg(long, value_enum, default_value_t = CommandsFormat::Text)]
    pub(crate) format: CommandsFormat,
    /// Bytes that one input may inflate to; more is refused.
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 30)]
    pub(crate) max_inflated: u64,
}

const TIMELINE_EXAMPLES: &str = "\
Examples:
  ssm-audit timeline examples/month
      every session, with what CloudTrail says of it
  ssm-audit timeline --session alice@example.com-08f49b7ab51000c16 logs/
      one of them
  aws s3 cp s3://my-session-logs/alice-0d225423a59c47fc5.log - | ssm-audit timeline -
      a transcript alone

Exit codes: 0 done · 2 wrong arguments or rules · 3 some input could not be read";

#[derive(Debug, clap::Args)]
#[command(after_long_help = TIMELINE_EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct TimelineArgs {
    /// Transcripts, and CloudTrail files that tell whose they are: files, directories (with all below), or `-` for
    /// standard input.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Only this session.
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    #[command(flatten)]
    pub(crate) pack: PackArgs,
    /// Leave out findings of a milder level.
    #[arg(long, value_name = "LEVEL", default_value = "informational")]
    pub(crate) level: Level,
    /// Time zone: an IANA name, `UTC` or `local`.
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub(crate) timezone: String,
    /// Show secrets. They are otherwise masked, each with a fingerprint of its own.
    #[arg(long)]
    pub(crate) reveal: bool,
    /// Bytes that one input may inflate to; more is refused.
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 30)]
    pub(crate) max_inflated: u64,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }
}
