//! `ssm-audit report --store ROOT --period 2026-10`

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anstyle::{AnsiColor, Style};
use jiff::SignedDuration;
use model::Visible;
use pipeline::report::{
    Filter, Options, Place, Published, ReportError, SETTLED, Standards, publish, write,
};
use report::view::{Grace, Period, Tables, Whole};
use report::write::{MANIFEST, Manifest};
use serde_json::Value;

use crate::exit::{Failure, Outcome, tell};
use crate::ingest::SummaryFormat;
use crate::input;
use crate::scan::output;
use crate::scan::summary::{by_level, number};

const EXAMPLES: &str = "\
Examples:
  ssm-audit report --store ./audit
      last month, into ./audit/reports/2026-10
  ssm-audit report --store s3://audit/ssm --period 2026-10 --out ./october --timezone Europe/Berlin
      October as people in Berlin know it
  ssm-audit report --store ./audit --period 2026-Q4 --account 111122223333 --redact-principals --out ./shared
      one account's quarter, without names
  ssm-audit report --store ./audit --nodes nodes.json --node-tag Environment=production --out ./production
      nodes of one kind; nodes.json is what `aws ec2 describe-tags --output json` prints

What is in it: access.csv and .parquet (a row for each session), commands.parquet, findings.csv and .parquet, coverage.csv (every
gap, with its reason), events.csv, alerts.csv, controls.csv, facts.csv, report.html, report.json, and manifest.json, which has the
hashes of all that and of the report before. `ssm-audit verify DIR` looks whether it is what it was.

Exit codes: 0 done · 2 wrong arguments or rules · 3 the store could not be read, or the report not written";

#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct ReportArgs {
    /// The store.
    #[arg(long, value_name = "ROOT", env = "SSM_AUDIT_STORE")]
    store: String,
    /// Of when: 2026-10, 2026-Q4, 2026, 2026-10-05, 2026-10-01..2026-10-15 or last-month.
    #[arg(long, value_name = "PERIOD", default_value = "last-month")]
    period: String,
    /// Where to: a directory or `s3://bucket/prefix`. Default: reports/<period> in the store.
    #[arg(long, value_name = "DIR")]
    out: Option<String>,
    /// If another report is in its place, replace it.
    #[arg(long)]
    replace: bool,
    /// In whose days and hours it is told: an IANA name, `UTC` or `local`.
    #[arg(long, value_name = "ZONE", default_value = "UTC", env = "SSM_AUDIT_TIMEZONE")]
    timezone: String,
    /// The time at which to look: what is missing then. Default: two days after the period, or now if that is earlier.
    #[arg(long, value_name = "TIME")]
    now: Option<String>,
    /// How long a transcript may take to come after a session's end, such as `1h`.
    #[arg(long, value_name = "AGE", default_value = "1h")]
    grace: SignedDuration,
    /// Only this account. May be given several times, as all that follow.
    #[arg(long, value_name = "ID")]
    account: Vec<String>,
    /// Only this region.
    #[arg(long, value_name = "REGION")]
    region: Vec<String>,
    /// Only this principal: a part of the ARN or of the name, without regard to case.
    #[arg(long, value_name = "TEXT")]
    principal: Vec<String>,
    /// Only this node: a part of its id.
    #[arg(long, value_name = "TEXT")]
    target: Vec<String>,
    /// Only nodes with this tag: KEY, or KEY=VALUE; of several, with all. Takes --nodes.
    #[arg(long, value_name = "TAG", requires = "nodes")]
    node_tag: Vec<String>,
    /// Tags of nodes: what `aws ec2 describe-tags` or `describe-instances` prints as JSON. The tag `Name` is shown beside a node's id.
    #[arg(long, value_name = "FILE")]
    nodes: Vec<PathBuf>,
    /// Other names for the principals, the same within the report: for readers who need not know who.
    #[arg(long)]
    redact_principals: bool,
    /// The calendar of the rules that says what after hours is.
    #[arg(long, value_name = "NAME", default_value = "business_hours")]
    calendar: String,
    /// From when on a session is long.
    #[arg(long, value_name = "AGE", default_value = "8h")]
    long: SignedDuration,
    /// Days that are looked back for who was on a node before; 0 for none.
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    lookback: u16,
    /// The rows, computed by another engine with deploy/sql/report.sql: a folder with `access`, `commands`, `findings` and `events`
    /// as Parquet (what deploy/spark writes).
    #[arg(long, value_name = "DIR", conflicts_with_all = ["account", "region", "principal", "target", "node_tag", "athena_output"])]
    tables: Option<PathBuf>,
    #[command(flatten)]
    engine: crate::athena::EngineArgs,
    /// Rules whose lists, calendars and hash are used: a directory. Default: the pack that ships.
    #[arg(long, value_name = "DIR", env = "SSM_AUDIT_RULES")]
    rules: Option<PathBuf>,
    /// How to print the summary. Default: text on a terminal, else JSON.
    #[arg(long, value_enum)]
    format: Option<SummaryFormat>,
    /// No summary.
    #[arg(long, short)]
    quiet: bool,
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::There(message) => Self::usage(message),
            other => Self { message: other.to_string(), outcome: Outcome::Incomplete },
        }
    }
}

pub(crate) fn run(args: &ReportArgs) -> Result<Outcome, Failure> {
    let zone = input::zone(&args.timezone)?;
    let clock = input::now(None, &zone)?;
    let period = Period::parse(&args.period, &zone, clock).map_err(Failure::usage)?;
    let now = args.now.as_deref().map(|text| input::time(text, &zone)).transpose()?;
    let settled = period.until().checked_add(SETTLED).unwrap_or(clock);
    let as_of = now.unwrap_or_else(|| settled.min(clock));
    if zone.iana_name().is_none() {
        return Err(Failure::usage(
            "the time zone has no name of the IANA database that the report could say: give one, such as Europe/Berlin",
        ));
    }
    if args.redact_principals && !args.principal.is_empty() {
        return Err(Failure::usage(
            "--redact-principals hides names, and --principal names one: the report would say whom it is about",
        ));
    }
    let is_narrowed = [&args.account, &args.region, &args.principal, &args.target, &args.node_tag]
        .iter()
        .any(|values| !values.is_empty());
    if is_narrowed && args.engine.is_far() {
        return Err(Failure::usage(
            "--engine athena computes the whole report: it is not narrowed",
        ));
    }
    let is_part = args.redact_principals || is_narrowed;
    if is_part && args.out.is_none() {
        return Err(Failure::usage(
            "reports/<period> in the store is for the whole report: give --out for one that is narrowed or redacted",
        ));
    }
    let pack = pipeline::pack::load(args.rules.as_deref())
        .map_err(|error| Failure::usage(error.to_string()))?;
    let opened = pipeline::pack::open(args.rules.as_deref())
        .map_err(|error| Failure::usage(error.to_string()))?;
    let standards = Standards::of(&pack, &opened.files);
    if args.calendar != "business_hours" && !pack.calendars.contains_key(&args.calendar) {
        let known: Vec<&str> = pack.calendars.keys().map(String::as_str).collect();
        return Err(Failure::usage(format!(
            "the rules have no calendar `{}`; they have: {}",
            args.calendar,
            known.join(", ")
        )));
    }
    let tags = nodes(&args.nodes)?;
    if !args.node_tag.is_empty() && tagged(&tags, &args.node_tag).is_empty() {
        let wanted = args.node_tag.join(" and ");
        return Err(Failure::usage(format!("no node in --nodes has the tag {wanted}")));
    }
    let store = crate::ingest::existing(&args.store)?.witnessed()?;
    let out = args.out.clone().unwrap_or_else(|| {
        format!("{}/reports/{}", args.store.trim_end_matches('/'), period.label)
    });
    let place = Place::new(&out);
    let fetched = args.engine.compute(&args.store, &period, as_of, args.grace)?;
    let tables = match (&args.tables, &fetched) {
        (Some(folder), _) => Some((folder.as_path(), "tables")),
        (None, Some(fetched)) => Some((fetched.path(), "athena")),
        (None, None) => None,
    };
    let options = Options {
        as_of,
        grace: Grace { upload: args.grace, ..Grace::default() },
        filter: Filter {
            accounts: args.account.clone(),
            regions: args.region.clone(),
            principals: args.principal.clone(),
            targets: args.target.clone(),
            tagged: (!args.node_tag.is_empty())
                .then(|| (args.node_tag.clone(), tagged(&tags, &args.node_tag))),
        },
        redact: args.redact_principals,
        long: args.long,
        lookback_days: args.lookback.into(),
        calendar: &args.calendar,
        names: tags
            .iter()
            .filter_map(|(id, tags)| Some((id.clone(), tags.get("Name")?.clone())))
            .collect(),
        standards: &standards,
        tables: tables.as_ref().map(|(folder, engine)| (Tables::new(folder), *engine)),
        previous: place.previous(&period)?,
        version: env!("CARGO_PKG_VERSION"),
        clock,
        period: period.clone(),
    };
    let previous = options.previous.as_ref();
    if let Some(until) = previous.and_then(|previous| previous.until)
        && until != period.since()
        && !args.quiet
    {
        tell(&format!(
            "note: the report before ends at {until}, this one begins at {}: they are told in different time zones",
            period.since()
        ));
    }
    let early = if clock < period.until() {
        Some("is not over: what is still to come is not in the report")
    } else if as_of < settled {
        Some(
            "ended less than two days ago: what is still to come is not in the report, and a later one will be another",
        )
    } else {
        None
    };
    if let Some(early) = early.filter(|_| !args.quiet) {
        tell(&format!("note: {} {early}", period.label));
    }
    let stage = place.stage()?;
    let (manifest, whole) = write(&store, &options, stage.path())?;
    let published = publish(stage, &place, args.replace)?;
    if !args.quiet {
        let format = args.format.unwrap_or_else(SummaryFormat::usual);
        output::print(&render(&whole, &manifest, &out, published, format))?;
    }
    Ok(Outcome::Done)
}

/// By node: its tags.
type Tags = BTreeMap<String, BTreeMap<String, String>>;

/// Reads tags of nodes, in either of the forms that the AWS CLI prints.
fn nodes(files: &[PathBuf]) -> Result<Tags, Failure> {
    let mut tags = Tags::new();
    for file in files {
        read_nodes(file, &mut tags)
            .map_err(|reason| Failure::usage(format!("{}: {reason}", file.display())))?;
    }
    Ok(tags)
}

fn read_nodes(file: &Path, tags: &mut Tags) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let json: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let text = |value: &Value, key: &str| value[key].as_str().map(str::to_owned);
    let mut note = |id: Option<String>, tag: &Value| {
        if let (Some(id), Some(key)) = (id, text(tag, "Key")) {
            tags.entry(id).or_default().insert(key, text(tag, "Value").unwrap_or_default());
        }
    };
    let items = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    if json["Tags"].is_array() {
        for tag in items(&json, "Tags") {
            note(text(&tag, "ResourceId"), &tag);
        }
        return Ok(());
    }
    if json["Reservations"].is_array() {
        for instance in items(&json, "Reservations").iter().flat_map(|r| items(r, "Instances")) {
            for tag in items(&instance, "Tags") {
                note(text(&instance, "InstanceId"), &tag);
            }
        }
        return Ok(());
    }
    Err("neither `Tags` nor `Reservations` is in it; give what `aws ec2 describe-tags --output json` prints".to_owned())
}

/// The nodes that have all of these tags.
fn tagged(tags: &Tags, wanted: &[String]) -> HashSet<String> {
    let has = |tags: &BTreeMap<String, String>| {
        wanted.iter().all(|wanted| match wanted.split_once('=') {
            Some((key, value)) => tags.get(key).is_some_and(|is| is == value),
            None => tags.contains_key(wanted),
        })
    };
    tags.iter().filter(|(_, tags)| has(tags)).map(|(id, _)| id.clone()).collect()
}

const BOLD: Style = Style::new().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

fn render(
    whole: &Whole,
    manifest: &Manifest,
    out: &str,
    published: Published,
    format: SummaryFormat,
) -> String {
    if format == SummaryFormat::Json {
        let json = serde_json::json!({
            "report": out,
            "published": published,
            "figures": whole,
            "files": manifest.files,
        });
        return format!("{json}\n");
    }
    let mut text = String::new();
    let sessions = &whole.sessions;
    let gaps: u64 = whole.gaps.values().sum();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{BOLD}{}{BOLD:#}: {} of {} on {}, {}",
        whole.period.label,
        number(sessions.all.sessions, "session", "sessions"),
        number(sessions.principals, "identity", "identities"),
        number(sessions.nodes, "node", "nodes"),
        number(whole.commands.total, "command", "commands"),
    );
    let _ = writeln!(
        text,
        "  {}{}",
        sessions.coverage_percent.map_or_else(
            || "nothing that could have been recorded".to_owned(),
            |percent| format!("{:.1} % wholly recorded", (percent * 10.0).floor() / 10.0)
        ),
        if gaps > 0 {
            format!(", {BAD}{}{BAD:#} in coverage", number(gaps, "gap", "gaps"))
        } else {
            String::new()
        },
    );
    let mut levels = [0; 5];
    for (level, count) in &whole.findings.levels {
        if let Ok(level) = level.parse::<model::Level>() {
            levels[level as usize] = *count;
        }
    }
    let _ = writeln!(
        text,
        "  {}{}",
        number(whole.findings.total, "finding", "findings"),
        if whole.findings.total == 0 { String::new() } else { format!(": {}", by_level(&levels)) },
    );
    if sessions.all.sessions == 0 {
        let why = if whole.filters.is_empty() {
            "there were no sessions in this period, as far as the store tells"
        } else {
            "no session of this period fits what was asked for"
        };
        let _ = writeln!(text, "  {why}");
    }
    let _ = writeln!(
        text,
        "{} {}/report.html and {} beside it; {MANIFEST} has their hashes",
        match published {
            Published::New => "written:",
            Published::Same => "there already, the same to the byte:",
            Published::Replaced => "replaced:",
        },
        Visible(out),
        number(manifest.files.len() as u64 - 1, "file", "files"),
    );
    text
}
