//! `ssm-audit rules …`: the arguments.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use model::Level;

const ABOUT_PATH: &str = "A directory of rules, a part of one, or a file";

#[derive(Debug, clap::Args)]
pub(crate) struct RulesArgs {
    #[command(subcommand)]
    pub(crate) command: RulesCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Look for everything that is wrong with rules, or probably not meant.
    Check(CheckArgs),
    /// Run the cases beside rules.
    Test(TestArgs),
    /// Say why a rule fires on something, or does not.
    Explain(ExplainArgs),
    /// List rules.
    List(ListArgs),
    /// Begin a rule: a template with its cases, which passes check and test.
    New(NewArgs),
    /// Write the catalogue: what each rule does, why it matters, how to respond.
    Docs(DocsArgs),
    /// Print a JSON Schema, for completion in editors.
    Schema(SchemaArgs),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// For people: the place in its source.
    Text,
    /// NDJSON: one problem a line.
    Json,
    /// Annotations for GitHub Actions.
    Github,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  ssm-audit rules check rules.d
      everything that is wrong, with its place
  ssm-audit rules check rules.d --deny warnings --format github
      in a workflow: annotate the change, and fail on warnings too
  ssm-audit rules check sigma/rules/linux --allow no-test,no-owner
      rules of others, which have neither

Exit codes: 0 nothing wrong (there may be warnings) · 1 errors, or what --deny names · 2 wrong arguments";

#[derive(Debug, clap::Args)]
#[command(after_long_help = CHECK_EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct CheckArgs {
    #[arg(value_name = "PATH", default_value = "rules.d", help = ABOUT_PATH)]
    pub(crate) path: PathBuf,
    /// How to print problems.
    #[arg(long, value_enum, default_value_t = CheckFormat::Text)]
    pub(crate) format: CheckFormat,
    /// Lints to leave out. See --lints.
    #[arg(long, value_name = "LINT", value_delimiter = ',')]
    pub(crate) allow: Vec<String>,
    /// Lints that are errors; `warnings` for all.
    #[arg(long, value_name = "LINT", value_delimiter = ',')]
    pub(crate) deny: Vec<String>,
    /// List the lints.
    #[arg(long, exclusive = true)]
    pub(crate) lints: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TestFormat {
    /// For people.
    Text,
    /// NDJSON: one case a line.
    Json,
}

const TEST_EXAMPLES: &str = "\
Examples:
  ssm-audit rules test rules.d
      every case beside every rule
  ssm-audit rules test rules.d/commands/sudo.yml --verbose
      one rule; also on what evidence it fires
  ssm-audit rules test rules.d --watch
      again whenever a file changes
  ssm-audit rules test rules.d --junit report.xml
      for a build server

Exit codes: 0 all pass · 1 a case fails · 2 wrong arguments or rules";

#[derive(Debug, clap::Args)]
#[command(after_long_help = TEST_EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct TestArgs {
    #[arg(value_name = "PATH", default_value = "rules.d", help = ABOUT_PATH)]
    pub(crate) path: PathBuf,
    /// How to print results.
    #[arg(long, value_enum, default_value_t = TestFormat::Text)]
    pub(crate) format: TestFormat,
    /// Also write the results as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Run again whenever a file changes.
    #[arg(long)]
    pub(crate) watch: bool,
    /// Show every case, and on what evidence it fires.
    #[arg(long, short)]
    pub(crate) verbose: bool,
    /// Fail if a selection was not seen to hold and not to hold.
    #[arg(long)]
    pub(crate) require_coverage: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// bash and its like, on Linux.
    Posix,
    /// PowerShell, on Windows.
    Powershell,
}

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  ssm-audit rules explain rules.d/sessions/role-without-mfa.yml event.json
      which selection held, which test failed, on which value
  ssm-audit rules explain \"sudo\" --command 'sudo -u postgres psql'
      a rule of the pack that ships, by its name, id or title, on a command line
  aws cloudtrail lookup-events --output json | ssm-audit rules explain custom-document -
      of many events the one that comes nearest

Exit codes: 0 it fires · 1 it does not · 2 wrong arguments or rules";

#[derive(Debug, clap::Args)]
#[command(after_long_help = EXPLAIN_EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct ExplainArgs {
    /// The rule: its file, or its id, name, title or file name in the pack.
    #[arg(value_name = "RULE")]
    pub(crate) rule: String,
    /// What happened: files or directories of CloudTrail records or transcripts, or `-` for standard input.
    #[arg(value_name = "EVENT", required_unless_present = "line")]
    pub(crate) events: Vec<PathBuf>,
    /// A command line, instead of files.
    #[arg(long = "command", value_name = "LINE", conflicts_with = "events")]
    pub(crate) line: Option<String>,
    /// When the command line ran: a time, a date or an age. Without it no calendar has an answer.
    #[arg(long, value_name = "TIME", requires = "line")]
    pub(crate) at: Option<String>,
    /// The shell that the command line is for.
    #[arg(long, value_enum, default_value_t = Shell::Posix, requires = "line")]
    pub(crate) shell: Shell,
    /// Rules: a directory. Default: the pack that ships, where RULE is no file.
    #[arg(long, value_name = "DIR", env = "SSM_AUDIT_RULES")]
    pub(crate) rules: Option<PathBuf>,
    /// Show secrets.
    #[arg(long)]
    pub(crate) reveal: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// A table.
    Text,
    /// NDJSON: one rule a line.
    Json,
}

const LIST_EXAMPLES: &str = "\
Examples:
  ssm-audit rules list
      the pack that ships
  ssm-audit rules list rules.d --level high --tag attack.t1562
      the grave ones about a technique";

#[derive(Debug, clap::Args)]
#[command(after_long_help = LIST_EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct ListArgs {
    /// A directory of rules, a part of one, or a file. Default: the pack that ships.
    #[arg(value_name = "PATH", env = "SSM_AUDIT_RULES")]
    pub(crate) path: Option<PathBuf>,
    /// Leave out rules of a milder level.
    #[arg(long, value_name = "LEVEL", default_value = "informational")]
    pub(crate) level: Level,
    /// Only rules with a tag that begins so.
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// How to print them.
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    pub(crate) format: ListFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum NewKind {
    /// An API call.
    Cloudtrail,
    /// A line as it was typed: builtins, pipes, redirections.
    Command,
    /// A program that was run.
    Process,
    /// What a recording shows as a whole.
    Transcript,
    /// Several matches within a time.
    Correlation,
    /// An exception for rules.
    Filter,
}

const NEW_EXAMPLES: &str = "\
Examples:
  ssm-audit rules new rules.d/commands/package-removed.yml --kind process --title 'Package removed'
      two files: the rule, and package-removed.test.yml
  ssm-audit rules new rules.d/sessions/too-many.yml --kind correlation --title 'Too many sessions'";

#[derive(Debug, clap::Args)]
#[command(after_long_help = NEW_EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct NewArgs {
    /// The file to make.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// What it is about.
    #[arg(long, value_enum, default_value_t = NewKind::Cloudtrail)]
    pub(crate) kind: NewKind,
    /// Its title. Default: made of the file's name.
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// The team that answers for it.
    #[arg(long, default_value = "security-operations")]
    pub(crate) owner: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DocsArgs {
    /// A directory of rules, all of it
    #[arg(value_name = "DIR", default_value = "rules.d")]
    pub(crate) path: PathBuf,
    /// Where to write it.
    #[arg(long, value_name = "DIR", default_value = "docs/rules")]
    pub(crate) out: PathBuf,
    /// Write nothing; exit with 1 if something would change.
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaKind {
    /// Rules, correlations and filters.
    Rule,
    /// Cases.
    Cases,
}

const SCHEMA_EXAMPLES: &str = "\
Examples:
  ssm-audit rules schema > rules.d/.rule.schema.json
      then, as the first line of a rule, for VS Code with the YAML extension:
      # yaml-language-server: $schema=../.rule.schema.json";

#[derive(Debug, clap::Args)]
#[command(after_long_help = SCHEMA_EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct SchemaArgs {
    /// For which files.
    #[arg(value_enum, default_value_t = SchemaKind::Rule)]
    pub(crate) kind: SchemaKind,
}
