//! `ssm-audit rules list`

use std::io::{self, Write as _};

use model::{Level, Visible};
use report::write::level_style;
use rules::Pack;
use rules::sigma::Meta;
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
    logsource: String,
    tags: &'a [String],
    owner: Option<&'a str>,
    file: &'a str,
}

fn row<'a>(meta: &'a Meta, kind: &'static str, logsource: String) -> Row<'a> {
    Row {
        id: &meta.info.id,
        title: &meta.info.title,
        level: meta.info.level,
        kind,
        logsource,
        tags: &meta.info.tags,
        owner: meta.owner.as_deref(),
        file: &meta.source.name,
    }
}

fn rows(pack: &Pack) -> Vec<Row<'_>> {
    let rules = pack.rules.iter().map(|rule| row(&rule.meta, "rule", rule.logsource.to_string()));
    let correlations = pack.correlations.iter().map(|linked| {
        let correlation = &linked.correlation;
        row(&correlation.meta, "correlation", correlation.kind.as_str().to_owned())
    });
    let filters = pack.filters.iter().map(|f| row(&f.meta, "filter", f.logsource.to_string()));
    rules.chain(correlations).chain(filters).collect()
}

pub(crate) fn run(args: &ListArgs) -> Result<Outcome, Failure> {
    let (opened, pack) = super::open(args.path.as_deref())?;
    diagnostics::show(&pack.problems);
    let mut rows = rows(&pack);
    rows.retain(|row| {
        opened.is_asked_for(row.file)
            && row.level >= args.level
            && args.tag.as_ref().is_none_or(|tag| row.tags.iter().any(|own| own.starts_with(tag)))
    });
    rows.sort_by_key(|row| (std::cmp::Reverse(row.level), row.file, row.title));
    let mut out = anstream::stdout();
    for row in &rows {
        match args.format {
            ListFormat::Json => report::write::json_line(&mut io::stdout(), row)?,
            ListFormat::Text => {
                let style = level_style(row.level);
                let level = row.level.as_str();
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
        writeln!(out, "{} rules, correlations and filters", rows.len())?;
    }
    Ok(Outcome::Done)
}
