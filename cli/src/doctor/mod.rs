//! `ssm-audit doctor`: is what is needed for an audit trail there, in a live account?

mod buckets;
mod check;
mod function;
mod preferences;
mod trails;

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use aws_sdk_ssm::config::Region;
use clap::ValueEnum;
use model::Visible;

use self::check::{Check, State};
use crate::exit::{Failure, Outcome};

const EXAMPLES: &str = "\
Examples:
  ssm-audit doctor
      preferences, session documents, trails and their buckets, in the region of AWS_REGION
  ssm-audit doctor --region eu-west-1 --region us-east-1 --function ssm-audit-ingest
      two regions, and the function that was deployed
  ssm-audit doctor --format json | jq -r 'select(.state == \"fail\") | .mend'
      the commands that mend what fails

It only reads; deploy/iam/doctor.json has the permissions.

Exit codes: 0 nothing fails · 1 something fails · 2 wrong arguments · 3 something could not be looked at";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// NDJSON: a check a line.
    Json,
}

#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES, after_help = "See --help for examples.")]
pub(crate) struct DoctorArgs {
    /// A region to look at; may be given several times. Default: that of the environment or profile.
    #[arg(long, value_name = "REGION")]
    region: Vec<String>,
    /// A bucket of logs, beside those that preferences and trails name; may be given several times.
    #[arg(long, value_name = "NAME")]
    bucket: Vec<String>,
    /// The function that ingests, by name or ARN.
    #[arg(long, value_name = "NAME")]
    function: Option<String>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Only what is not as it should be.
    #[arg(long, short)]
    quiet: bool,
}

pub(crate) fn run(args: &DoctorArgs) -> Result<Outcome, Failure> {
    let config = aws::config();
    let regions =
        if args.region.is_empty() { vec![aws::region().to_string()] } else { args.region.clone() };
    let mut all = Vec::new();
    let mut logs: Vec<buckets::Logs> =
        args.bucket.iter().cloned().map(buckets::Logs::bucket).collect();
    for region in &regions {
        let ssm = aws_sdk_ssm::config::Builder::from(config).region(Region::new(region.clone()));
        let ssm = aws_sdk_ssm::Client::from_conf(ssm.build());
        let mut here = preferences::check(&ssm, &mut logs).all;
        here.extend(preferences::documents(&ssm, &mut logs).all);
        if regions.len() > 1 {
            for check in &mut here {
                check.subject = format!("{region} {}", check.subject);
            }
        }
        all.extend(here);
    }
    all.extend(trails::check(&aws_sdk_cloudtrail::Client::new(config), &mut logs).all);
    logs.sort();
    logs.dedup();
    let s3 =
        aws_sdk_s3::config::Builder::from(config).force_path_style(config.endpoint_url().is_some());
    let s3 = aws_sdk_s3::Client::from_conf(s3.build());
    let are_all = all.iter().all(|check| check.state != State::Unknown);
    all.extend(buckets::check(&s3, &logs, are_all, args.function.as_deref()).all);
    if let Some(name) = &args.function {
        all.extend(function::check(&aws_sdk_lambda::Client::new(config), name).all);
    }
    print(&all, args)?;
    Ok(match all.iter().map(|check| check.state).max() {
        Some(State::Fail) => Outcome::Findings,
        Some(State::Unknown) => Outcome::Incomplete,
        _ => Outcome::Done,
    })
}

fn print(all: &[Check], args: &DoctorArgs) -> std::io::Result<()> {
    const DIM: Style = Style::new().dimmed();
    let mut out = anstream::stdout();
    let shown = || all.iter().filter(|check| !args.quiet || check.state != State::Ok);
    if args.format == Format::Json {
        for check in shown() {
            report::write::json_line(&mut out, check)?;
        }
        return Ok(());
    }
    for check in shown() {
        let (word, style) = match check.state {
            State::Ok => ("ok", AnsiColor::Green.on_default()),
            State::Warn => ("warn", AnsiColor::Yellow.on_default()),
            State::Unknown => ("?", AnsiColor::Magenta.on_default()),
            State::Fail => ("FAIL", AnsiColor::Red.on_default().bold()),
        };
        let (subject, found) = (Visible(&check.subject), Visible(&check.found));
        writeln!(out, "{style}{word:4}{style:#}  {:11} {subject}: {found}", check.area)?;
        if let Some(mend) = &check.mend {
            writeln!(out, "      {DIM}{}{DIM:#}", Visible(mend))?;
        }
    }
    let count = |state: State| all.iter().filter(|check| check.state == state).count();
    writeln!(
        out,
        "{} checks: {} ok, {} to look at, {} failed, {} could not be looked at",
        all.len(),
        count(State::Ok),
        count(State::Warn),
        count(State::Fail),
        count(State::Unknown),
    )
}
