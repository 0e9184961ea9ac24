//! `ssm-audit ingest SOURCE… --store ROOT`

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::ValueEnum;
use indicatif::ProgressBar;
use ingest::source::Versions;
use ingest::{Limits, Problem, ProblemKind};
use model::Place;
use pipeline::alerts::Of;
use pipeline::ingest::{
    Asked, Far, Observer, Options, SourceError, Summary, Troubles, far, ingest, local,
};
use report::mask::Masker;
use report::store::{Store, StoreError};

use crate::alerts::Alerting;
use crate::exit::{Failure, Outcome};
use crate::scan::summary::{self, by_level, number};
use crate::scan::{output, progress};

const EXAMPLES: &str = "\
Examples:
  ssm-audit ingest examples/month --store ./audit
      everything below a directory becomes facts in ./audit
  ssm-audit ingest cloudtrail/ sessions/ --store ./audit --rules ./rules.d
      your own rules; what the store has already is not read again
  ssm-audit ingest s3://session-logs/ s3://trail/AWSLogs/ --store s3://audit/ssm
      what the buckets have that the store has not; AWS credentials as the AWS CLI finds them
  ssm-audit ingest cwl:///aws/ssm/sessions --store ./audit
      a log group of CloudWatch Logs: sessions that have been quiet for ten minutes
  ssm-audit ingest lookup:// --store ./audit
      CloudTrail's event history of the last 90 days, for an account without a trail
  ssm-audit sessions --store ./audit
      who was where, and what is missing

Exit codes: 0 done · 2 wrong arguments or rules · 3 some input could not be read (it is in quarantine/, with the reason)";

/// How to print a summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SummaryFormat {
    /// For people.
    Text,
    /// JSON, one line.
    Json,
}

impl SummaryFormat {
    /// Text on a terminal, else JSON.
    pub(crate) fn usual() -> Self {
        if io::stdout().is_terminal() { Self::Text } else { Self::Json }
    }
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct IngestArgs {
    /// Files, directories (with all below), `s3://bucket/prefix`, `cwl://GROUP` (CloudWatch Logs), `lookup://[REGION][?KEY=VALUE]`
    /// (CloudTrail's event history), or `-` for standard input.
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// The store: a directory, made if it is not there, or `s3://bucket/prefix`.
    #[arg(long, value_name = "ROOT", env = "SSM_AUDIT_STORE")]
    store: String,
    /// Leave out what buckets stored before, and what happened before in log groups and event histories: a time, a date, or an
    /// age such as `7d`. Files are read whatever their age.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// The time that it is. Default: the clock's.
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// Of buckets that keep them, also the versions of objects that have been overwritten or deleted.
    #[arg(long)]
    versions: bool,
    #[command(flatten)]
    pack: crate::args::PackArgs,
    /// Who is to hear of what: a YAML file. Without it nobody is told.
    #[arg(long, value_name = "FILE", env = "SSM_AUDIT_ROUTES")]
    routes: Option<PathBuf>,
    /// How to print the summary. Default: text on a terminal, else JSON.
    #[arg(long, value_enum)]
    format: Option<SummaryFormat>,
    /// Threads. Default: as many as there are processors.
    #[arg(long, short, value_name = "N")]
    jobs: Option<std::num::NonZeroUsize>,
    /// Bytes that one input may inflate to; more is refused.
    #[arg(long, value_name = "BYTES", default_value_t = 4 << 30)]
    max_inflated: u64,
    /// Name every input that was left out, not only how many.
    #[arg(long, short)]
    verbose: bool,
    /// No progress and no summary.
    #[arg(long, short, conflicts_with = "verbose")]
    quiet: bool,
}

pub(crate) fn run(args: &IngestArgs) -> Result<Outcome, Failure> {
    let set = args.pack.compile()?;
    let alerting = Alerting::open(args.routes.as_deref())?;
    let store = open(&args.store)?;
    let _writing = store.begin_writing();
    let options = Options {
        masker: Masker::default(),
        jobs: args.jobs.map_or_else(|| threads(&args.sources), Into::into),
        limits: Limits { max_inflated: args.max_inflated, ..Limits::default() },
        // Who is told of findings is told by their days, and joins what it needs.
        index_sessions: false,
        stop: std::sync::Arc::default(),
        clock: None,
    };
    let (uris, paths): (Vec<&String>, Vec<&String>) =
        args.sources.iter().partition(|source| source.contains("://"));
    let paths: Vec<PathBuf> = paths.into_iter().map(PathBuf::from).collect();
    let (artifacts, found) = local(&paths);
    if uris.is_empty() && artifacts.is_empty() && found.unreadable.is_empty() {
        return Err(Failure::usage("there are no files in what was given"));
    }
    // How many objects a bucket has is known when they have been listed.
    let bar = progress(if uris.is_empty() { artifacts.len() } else { 0 }, args.quiet);
    let now = crate::input::now(args.now.as_deref(), &jiff::tz::TimeZone::UTC)?;
    let since =
        args.since.as_deref().map(|text| crate::input::time(text, &jiff::tz::TimeZone::UTC));
    let asked = Asked {
        since: since.transpose()?,
        now,
        versions: if args.versions { Versions::All } else { Versions::Latest },
    };
    let troubles = Troubles::default();
    let (mut listed, mut checkpoints) = (Vec::new(), Vec::new());
    for uri in uris {
        let source = far(uri, asked, &store, troubles.of(uri));
        let Far { artifacts, checkpoint } = source.map_err(|error| match error {
            SourceError::Source(error) => Failure::usage(format!("{uri}: {error}")),
            SourceError::Store(error) => error.into(),
        })?;
        listed.push(artifacts);
        checkpoints.extend(checkpoint);
    }
    let artifacts = artifacts.into_iter().chain(listed.into_iter().flatten());
    let mut watch = Watch { bar: &bar, problems: summary::Problems::default() };
    let unlisted = found.unreadable.len() as u64;
    for unreadable in found.unreadable {
        let (place, reason) = (Place::new(unreadable.path, 0), unreadable.error.to_string());
        watch.problem(&Problem { place, kind: ProblemKind::Failed, reason });
    }
    for (path, what) in found.left_out {
        let (place, reason) = (Place::new(path, 0), what.to_owned());
        watch.problem(&Problem { place, kind: ProblemKind::Skipped, reason });
    }
    let summary = ingest(artifacts, &store, &set, &options, &mut watch);
    bar.finish_and_clear();
    let mut summary = summary?;
    summary.failed += unlisted;
    for (uri, error) in troubles.take() {
        summary.failed += 1;
        let reason = format!("cannot be listed: {error}");
        watch.problem(&Problem { place: Place::new(uri, 0), kind: ProblemKind::Failed, reason });
    }
    if summary.failed == 0 {
        for checkpoint in checkpoints {
            checkpoint.write(&store)?;
        }
    }
    // What matched is told at once; what takes the session, or several events, waits for the sweep.
    let of = Of::Days(&summary.days);
    // A claim to send is as old as it is, not as the work before it.
    let now = crate::input::now(args.now.as_deref(), &jiff::tz::TimeZone::UTC)?;
    let alerts = alerting.map(|alerting| alerting.deliver(&store, &set, of, now)).transpose()?;
    if !args.quiet {
        let format = args.format.unwrap_or_else(SummaryFormat::usual);
        output::print(&render(&summary, format, store.root()))?;
    }
    watch.problems.tell(args.verbose, args.quiet);
    let unsent = alerts.is_some_and(|alerts| !alerts.failed.is_empty());
    Ok(if unsent || summary.quarantined + summary.failed > 0 {
        Outcome::Incomplete
    } else {
        Outcome::Done
    })
}

/// As many as there are processors; more where most of them wait for the network.
fn threads(sources: &[String]) -> usize {
    let processors = std::thread::available_parallelism().map_or(1, Into::into);
    let is_far = sources.iter().any(|source| source.contains("://"));
    if is_far { processors.max(4) * 4 } else { processors }
}

/// Opens the store.
pub(crate) fn open(root: &str) -> Result<Store, Failure> {
    Store::open(root).map_err(|error| Failure::usage(error.to_string()))
}

/// Opens a store that has to be there.
pub(crate) fn existing(root: &str) -> Result<Store, Failure> {
    if !root.contains("://") && !std::path::Path::new(root).is_dir() {
        return Err(Failure::usage(format!(
            "there is no store at {root}; `ssm-audit ingest … --store {root}` makes one"
        )));
    }
    open(root)
}

/// The store could not do what it had to.
impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { message: error.to_string(), outcome: Outcome::Incomplete }
    }
}

fn render(summary: &Summary, format: SummaryFormat, root: &str) -> String {
    if format == SummaryFormat::Json {
        let json = serde_json::to_string(summary).expect("plain numbers are JSON");
        return format!("{json}\n");
    }
    let Summary { rows, .. } = summary;
    let mut out = String::new();
    let findings: u64 = summary.findings.iter().sum();
    // Writing to a string cannot fail.
    let _ = writeln!(
        out,
        "{}: {} read ({}), {} known, {} quarantined, {} not to be read now",
        number(summary.artifacts, "artifact", "artifacts"),
        summary.read,
        summary::bytes(summary.bytes),
        summary.known,
        summary.quarantined,
        summary.failed,
    );
    let _ = writeln!(
        out,
        "{} → {}: {} of activity, {}, {}, {}, {}{}",
        number(summary.records, "CloudTrail record", "CloudTrail records"),
        root,
        number(rows.activity, "row", "rows"),
        number(rows.transcripts, "transcript", "transcripts"),
        number(rows.commands, "command", "commands"),
        number(rows.matches, "match", "matches"),
        number(findings, "finding", "findings"),
        if findings > 0 { format!(" ({})", by_level(&summary.findings)) } else { String::new() },
    );
    out
}

struct Watch<'a> {
    bar: &'a ProgressBar,
    problems: summary::Problems,
}

impl Observer for Watch<'_> {
    fn problem(&mut self, problem: &Problem) {
        self.problems.add(problem);
    }

    fn artifact(&mut self, bytes: u64) {
        self.problems.bytes += bytes;
        self.bar.set_message(summary::bytes(self.problems.bytes));
        self.bar.inc(1);
    }
}
