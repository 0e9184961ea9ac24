//! `ssm-audit rules list`

use std::io::{self, Write as _};

use model::{Level, Visible};
use report::write::level_style;
use rules::RuleSet;
use rules::sigma::{Filter, Meta};
use serde::Serialize;

use super::args::{ListArgs, ListFormat};
use crate::diagnostics;
use crate::exit::{Failure, Outcome};

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    title: &'a str,
    level: Level,
    kind: &'static str,
    /// Is it told on its own, or only a part of correlations?
    told: bool,
    logsource: String,
    tags: &'a [String],
    owner: Option<&'a str>,
    file: &'a str,
}

fn row<'a>(meta: &'a Meta, kind: &'static str, told: bool, logsource: String) -> Row<'a> {
    Row {
        id: &meta.info.id,
        title: &meta.info.title,
        level: meta.info.level,
        kind,
        told,
        logsource,
        tags: &meta.info.tags,
        owner: meta.owner.as_deref(),
        file: &meta.source.name,
    }
}

fn rows<'a>(set: &'a RuleSet, filters: &'a [Filter]) -> Vec<Row<'a>> {
    let rules = set
        .rules()
        .iter()
        .enumerate()
        .map(|(at, rule)| row(&rule.meta, "rule", set.is_told(at), rule.logsource.to_string()));
    let correlations = set.correlations().iter().enumerate().map(|(at, linked)| {
        let correlation = &linked.correlation;
        let told = set.is_correlation_told(at);
        row(&correlation.meta, "correlation", told, correlation.kind.as_str().to_owned())
    });
    let filters = filters.iter().map(|f| row(&f.meta, "filter", false, f.logsource.to_string()));
    rules.chain(correlations).chain(filters).collect()
}

pub(crate) fn run(args: &ListArgs) -> Result<Outcome, Failure> {
    let (opened, pack) = super::open(args.path.as_deref())?;
    diagnostics::show(&pack.problems);
    let filters = pack.filters.clone();
    let set = RuleSet::compile(pack);
    let mut rows = rows(&set, &filters);
    rows.retain(|row| {
        opened.is_asked_for(row.file)
            && row.level >= args.level
            && args.tag.as_ref().is_none_or(|tag| row.tags.iter().any(|own| own.starts_with(tag)))
    });
    rows.sort_by_key(|row| (std::cmp::Reverse(row.level), row.file, row.title));
    let mut out = anstream::stdout();
    let parts = rows.iter().filter(|row| !row.told && row.kind != "filter").count();
    if args.format == ListFormat::Text {
        rows.retain(|row| row.told || row.kind == "filter");
    }
    for row in &rows {
        match args.format {
            ListFormat::Json => report::write::json_line(&mut io::stdout(), row)?,
            ListFormat::Text => {
                // What a filter finds has the level of its rule.
                let is_filter = row.kind == "filter";
                let style = if is_filter { anstyle::Style::new() } else { level_style(row.level) };
                let level = if is_filter { "filter" } else { row.level.as_str() };
                writeln!(
                    out,
                    "{style}{level:<13}{style:#} {}  {}",
                    Visible(row.title),
                    anstyle::Style::new().dimmed().render().to_string()
                        + &Visible(row.file).to_string()
                        + &anstyle::Reset.render().to_string(),
                )?;
            }
        }
    }
    if args.format == ListFormat::Text {
        let count = |kind: &str| rows.iter().filter(|row| row.kind == kind).count();
        let (rules, correlations, filters) = (count("rule"), count("correlation"), count("filter"));
        writeln!(
            out,
            "{rules} rules, {correlations} correlations, {filters} filters; {parts} parts of correlations are not \
             told on their own"
        )?;
    }
    Ok(Outcome::Done)
}
