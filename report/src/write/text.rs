//! Findings for people: the gravest first, by rule, each with who, where, when and why.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::{Finding, Level, RuleInfo, Visible};

use super::Write;

/// How to write.
#[derive(Clone, Debug)]
pub struct TextOptions {
    /// The zone in which times are shown.
    pub zone: TimeZone,
    /// Findings shown for each rule; the rest are counted.
    pub per_rule: usize,
}

impl Default for TextOptions {
    fn default() -> Self {
        Self { zone: TimeZone::UTC, per_rule: 20 }
    }
}

/// The gravest first, then by title; the id keeps rules of one title apart.
type GroupKey = (std::cmp::Reverse<Level>, String, String);

#[derive(Default)]
struct Group {
    findings: Vec<Finding>,
    count: u64,
}

/// Collects findings and writes them, grouped, at the end. Memory is bounded: of each rule only the
/// earliest so many are kept.
pub struct Text<W> {
    out: W,
    options: TextOptions,
    groups: BTreeMap<GroupKey, (Arc<RuleInfo>, Group)>,
}

impl<W: io::Write> Text<W> {
    /// Writes to `out`. Styles are written as escape sequences: `out` removes them where nobody wants
    /// them.
    pub const fn new(out: W, options: TextOptions) -> Self {
        Self { out, options, groups: BTreeMap::new() }
    }

    /// What is behind the findings.
    pub fn into_inner(self) -> W {
        self.out
    }
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// How a level is shown.
pub const fn style(level: Level) -> Style {
    match level {
        Level::Critical => AnsiColor::Red.on_default().bold().invert(),
        Level::High => AnsiColor::Red.on_default().bold(),
        Level::Medium => AnsiColor::Yellow.on_default().bold(),
        Level::Low => AnsiColor::Cyan.on_default(),
        Level::Informational => DIM,
    }
}

impl<W: io::Write> Write for Text<W> {
    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        let rule = &finding.rule;
        let key = (std::cmp::Reverse(rule.level), rule.title.clone(), rule.id.clone());
        let (_, group) =
            self.groups.entry(key).or_insert_with(|| (Arc::clone(rule), Group::default()));
        group.count += 1;
        group.findings.push(finding.clone());
        // Sorting now and then, not always, keeps this linear in the findings.
        if group.findings.len() >= self.options.per_rule.saturating_mul(4).max(64) {
            shorten(&mut group.findings, self.options.per_rule);
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        for (_, (rule, mut group)) in std::mem::take(&mut self.groups) {
            shorten(&mut group.findings, self.options.per_rule);
            self.group(&rule, &group)?;
        }
        self.out.flush()
    }
}

fn shorten(findings: &mut Vec<Finding>, most: usize) {
    // What has no time comes last.
    findings.sort_by(|a, b| {
        let key = |f: &Finding| (f.time.is_none(), f.time, f.place.clone(), f.id.clone());
        key(a).cmp(&key(b))
    });
    findings.truncate(most);
}

impl<W: io::Write> Text<W> {
    fn group(&mut self, rule: &RuleInfo, group: &Group) -> io::Result<()> {
        let level = rule.level.as_str().to_uppercase();
        let colour = style(rule.level);
        writeln!(
            self.out,
            "{colour}{level}{colour:#}  {BOLD}{}{BOLD:#}  {DIM}{}{DIM:#}",
            Visible(&rule.title),
            number(group.count, "finding", "findings"),
        )?;
        let tags: Vec<String> = rule.tags.iter().map(|tag| Visible(tag).to_string()).collect();
        if !tags.is_empty() {
            writeln!(self.out, "  {DIM}{}{DIM:#}", tags.join(" "))?;
        }
        for finding in &group.findings {
            self.one(finding)?;
        }
        let left = group.count - group.findings.len() as u64;
        if left > 0 {
            writeln!(self.out, "  … and {left} more; --format json lists every one")?;
        }
        writeln!(self.out)
    }

    fn one(&mut self, finding: &Finding) -> io::Result<()> {
        let zone = self.options.zone.clone();
        let time = match (finding.time, finding.time_end) {
            (Some(time), Some(end)) if time == end => show(time, &zone),
            (Some(time), Some(end)) if finding.correlated_count > 0 => {
                format!("{} to {}", show(time, &zone), show(end, &zone))
            }
            // A recording has no time for each command: it ran later than this.
            (Some(time), _) => format!("{} or later", show(time, &zone)),
            (None, _) => "time unknown".to_owned(),
        };
        let principal = finding.principal.as_deref();
        let who = principal.and_then(model::Principal::label).unwrap_or("principal unknown");
        writeln!(self.out, "  {time}  {BOLD}{}{BOLD:#}", Visible(who))?;
        let mut facts = Vec::new();
        if let Some(event) = &finding.event_name {
            let failed = finding.error_code.as_ref().map(|code| format!(" ({code})"));
            facts.push(format!("{event}{}", failed.unwrap_or_default()));
        }
        let named = |name: &str, value: Option<&str>| value.map(|value| format!("{name} {value}"));
        facts.extend(named("node", finding.target.as_deref()));
        facts.extend(named("session", finding.session.as_deref().map(|s| s.id.as_str())));
        facts.extend(named("account", finding.account.as_deref()));
        facts.extend(finding.region.clone());
        facts.extend(named("from", finding.source_ip.as_deref()));
        let facts: Vec<String> = facts.iter().map(|fact| Visible(fact).to_string()).collect();
        if !facts.is_empty() {
            writeln!(self.out, "      {}", facts.join(" · "))?;
        }
        if let Some(command) = &finding.command {
            writeln!(self.out, "      {BOLD}>{BOLD:#} {}", Visible(command))?;
        }
        for evidence in &finding.evidence {
            // What stands in the lines above already, and what is only not there, would be noise.
            let told = [&finding.event_name, &finding.command, &finding.error_code];
            let Some(value) = &evidence.value else { continue };
            if told.into_iter().flatten().any(|text| text == value)
                || evidence.field == "eventSource"
            {
                continue;
            }
            writeln!(self.out, "      {}: {}", Visible(&evidence.field), Visible(value))?;
        }
        if finding.correlated_count > 0 {
            writeln!(self.out, "      {}", number(finding.correlated_count, "match", "matches"))?;
            for (at, part) in finding.correlated.iter().enumerate() {
                let left = finding.correlated_count - finding.correlated.len() as u64;
                if left > 0 && at == finding.correlated.len().div_ceil(2) {
                    writeln!(self.out, "        {DIM}… {left} more{DIM:#}")?;
                }
                let time = part.time.map_or_else(|| "time unknown".into(), |t| show(t, &zone));
                let about = part.about.as_deref().unwrap_or_default();
                writeln!(
                    self.out,
                    "        {time}  {}  {DIM}{}{DIM:#}",
                    Visible(&part.rule.title),
                    Visible(about),
                )?;
            }
        }
        let event = finding.event_id.as_ref().map(|id| format!("event {} in ", Visible(id)));
        writeln!(
            self.out,
            "      {DIM}{}{}, byte {}{DIM:#}",
            event.unwrap_or_default(),
            Visible(&finding.place.artifact),
            finding.place.offset,
        )
    }
}

fn number(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `2026-10-05 09:41:12 UTC`
fn show(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}
