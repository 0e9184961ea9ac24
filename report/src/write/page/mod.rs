//! The report as one page: no network, no script but its own, and nothing in it that a stranger wrote is anything but text.
//!
//! `maud` escapes what stands in the markup; tables are data in a `<script type="application/json">`, in which `<` is written as
//! an escape of JSON. The browser is told the hashes of the one script and the one sheet of style, and runs nothing else.

mod attention;
mod plots;
mod tables;

use std::collections::BTreeMap;
use std::io;

use base64::Engine as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use crate::alert::Delivery;
use crate::view::{Control, Coverage, Notes, SessionRow, SumOf, Whole};

pub use tables::{Cell, Kind, Table};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Rows of a table that the page holds; the files hold all.
pub const MOST_ROWS: usize = 50_000;
/// Sessions told with their commands.
pub const MOST_SECTIONS: usize = 2_000;
/// Commands told of one session.
pub const MOST_COMMANDS: usize = 200;

/// A session with its commands.
#[derive(Clone, Debug)]
pub struct Section<'s> {
    /// Its number in the page, from 1.
    pub number: usize,
    /// The session.
    pub row: SessionRow<'s>,
    /// What is worth a look.
    pub notes: Notes,
    /// The first commands.
    pub commands: Vec<Line>,
    /// All commands.
    pub count: u64,
    /// Findings: level and title, and how often.
    pub findings: BTreeMap<(String, String), u64>,
}

/// A command.
#[derive(Clone, Debug)]
pub struct Line {
    /// The earliest time at which it can have been submitted.
    pub time: Option<Timestamp>,
    /// The line.
    pub text: String,
    /// `executed`, `aborted`, `repl`, `hidden` or `unfinished`.
    pub status: String,
    /// `certain`, `likely` or `guess`.
    pub confidence: String,
    /// The user that the prompt shows.
    pub user: Option<String>,
}

/// Everything that the page tells.
pub struct Page<'a> {
    /// The figures.
    pub whole: &'a Whole,
    /// The time zone in which times are told.
    pub zone: &'a TimeZone,
    /// The version of this program.
    pub version: &'a str,
    /// The rule set: its hash, and how many rules it has.
    pub rules: (&'a str, usize),
    /// Fact files that were read, and the rows in them.
    pub facts: (u64, u64),
    /// The report before: its period and the hash of its manifest.
    pub previous: Option<(&'a str, &'a str)>,
    /// Names of nodes, by their ids.
    pub names: &'a BTreeMap<String, String>,
    /// The calendar that business hours are taken from; none if there is none.
    pub calendar: Option<&'a str>,
    /// How long is long, in hours.
    pub long_hours: i64,
    /// Days that were looked back for a first access.
    pub lookback_days: i64,
    /// Sessions, findings, gaps and events.
    pub tables: Vec<Table>,
    /// The notifications.
    pub alerts: &'a [Delivery],
    /// The controls.
    pub controls: &'a [Control],
    /// Sessions with their commands.
    pub sections: &'a [Section<'a>],
}

/// What a node is called: its name and its id.
pub fn node_name(names: &BTreeMap<String, String>, id: &str) -> String {
    // Of a container's ARN the account and the region are told beside it.
    let short = id.strip_prefix("arn:").and_then(|arn| arn.splitn(5, ':').nth(4)).unwrap_or(id);
    shown(&names.get(id).map_or_else(|| short.to_owned(), |name| format!("{name} ({short})")))
}

/// What a principal is called: the name at the end of the ARN, with the role or the permission set that it came by. The name at
/// the end of a role's ARN is the role session name, which whoever assumed the role chose.
pub fn short(arn: &str) -> String {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or(arn);
    let mut parts = resource.splitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("assumed-role"), Some(role), Some(name)) => {
            let set = role.strip_prefix("AWSReservedSSO_").and_then(|set| set.rsplit_once('_'));
            shown(&format!("{name} ({})", set.map_or(role, |(set, _)| set)))
        }
        (Some("user"), Some(name), None) => shown(&format!("{name} (user)")),
        _ => shown(resource),
    }
}

/// A time as people read it.
pub fn clock(time: Option<Timestamp>, zone: &TimeZone) -> String {
    let text =
        |time: Timestamp| time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
    time.map(text).unwrap_or_default()
}

/// A number with commas.
pub fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// The class of a level or a state of coverage: a colour.
pub(super) fn class(word: &str) -> &'static str {
    match word {
        "critical" => "critical",
        "high" | "missing" | "unaudited" | "invalid" => "bad",
        "medium" | "recorded-partial" | "unrecordable" | "unreadable" => "warn",
        "recorded" => "good",
        _ => "info",
    }
}

fn hash(text: &str) -> String {
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text));
    format!("'sha256-{digest}'")
}

impl Page<'_> {
    /// Writes it.
    pub fn write(&self, mut out: impl io::Write) -> io::Result<()> {
        let policy = format!(
            "default-src 'none'; script-src {}; style-src {}; img-src data:; base-uri 'none'; form-action 'none'",
            hash(SCRIPT),
            hash(STYLE),
        );
        let period = &self.whole.period;
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="referrer" content="no-referrer";
                    title { "Session Manager access, " (period.label) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    a.skip href="#main" { "To the report" }
                    header.top {
                        h1 { "Access through Session Manager, " (period.label) }
                        p.soft {
                            (clock(Some(period.since), self.zone)) " to " (clock(Some(period.until), self.zone)) " "
                            (period.time_zone) " · as seen at " (clock(Some(self.whole.as_of), self.zone))
                            @if self.whole.redacted { " · other names stand for the principals" }
                        }
                        @if !self.whole.is_settled {
                            p { strong { "Early: " } "sessions may not have ended yet, and what tells of them may still come. "
                                "Two days after the period it will have." }
                        }
                        @if !self.whole.filters.is_empty() {
                            p { strong { "Not everything: " } "this report was narrowed to "
                                @for (nth, (name, values)) in self.whole.filters.iter().enumerate() {
                                    @if nth > 0 { ", " } (name) " " (values.join(" or "))
                                } "." }
                        }
                    }
                    main id="main" {
                        (self.contents()) (self.summary()) (self.plots())
                        @for table in &self.tables { (table.markup()) }
                        (self.rules_section()) (self.alerts_section()) (self.controls_section()) (self.timelines()) (self.about())
                    }
                    footer { "ssm-audit " (self.version) " · it presents evidence and claims no compliance" }
                    @for table in &self.tables { (table.data()) }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        out.write_all(page.into_string().as_bytes())
    }

    fn contents(&self) -> Markup {
        html! {
            nav aria-label="Contents" {
                ul {
                    li { a href="#summary" { "Summary" } }
                    @for table in &self.tables { li { a href={ "#" (table.name) } { (table.title) } } }
                    li { a href="#rules" { "Rules" } }
                    li { a href="#alerts" { "Alerts" } }
                    li { a href="#controls" { "Controls" } }
                    li { a href="#timelines" { "Timelines" } }
                    li { a href="#about" { "How this was made" } }
                }
            }
        }
    }

    fn summary(&self) -> Markup {
        let sessions = &self.whole.sessions;
        let grave =
            ["critical", "high"].iter().filter_map(|level| self.whole.findings.levels.get(*level));
        let grave: u64 = grave.sum();
        let gaps: u64 = self.whole.gaps.values().sum();
        let percent = sessions
            .coverage_percent
            .map_or_else(|| "–".to_owned(), |p| format!("{:.1} %", (p * 10.0).floor() / 10.0));
        html! {
            section aria-labelledby="summary" {
                h2 id="summary" { "Summary" }
                @if sessions.all.sessions == 0 {
                    p { strong { "There were no sessions in this period" }
                        ", as far as the facts of the store tell. If there should have been, look whether its logs were read." }
                }
                dl.figures {
                    div { dt { "Sessions" } dd { (number(sessions.all.sessions))
                        small { (counted(self.whole.commands.total, "command", "commands")) } } }
                    div { dt { "Identities" } dd { (number(sessions.principals)) small { "who opened sessions" } } }
                    div { dt { "Nodes" } dd { (number(sessions.nodes))
                        small { "in " (counted(sessions.accounts, "account", "accounts")) } } }
                    div { dt { "Wholly recorded" } dd { (percent) small { (counted(gaps, "gap", "gaps")) " in coverage" } } }
                    div { dt { "Findings" } dd { (number(self.whole.findings.total)) small { (number(grave)) " high or critical" } } }
                }
                h3 { "What needs a look" }
                ul.attention {
                    @for look in attention::looks(self.whole) {
                        li class=(look.class) { (look.text) " " @if let Some((table, words)) = look.link {
                            a href={ "#" (table) } data-search=(table) data-text=(words) { "Show" }
                        } }
                    }
                }
            }
        }
    }

    fn plots(&self) -> Markup {
        let sessions = &self.whole.sessions;
        let principal =
            |sum: &SumOf| sum.name.as_deref().map_or_else(|| "not known".to_owned(), short);
        let node = |sum: &SumOf| {
            sum.name
                .as_deref()
                .map_or_else(|| "not known".to_owned(), |id| node_name(self.names, id))
        };
        let levels: Vec<(&str, &str, u64)> = ["critical", "high", "medium", "low", "informational"]
            .into_iter()
            .map(|level| {
                let count = self.whole.findings.levels.get(level).copied().unwrap_or_default();
                (
                    level,
                    match level {
                        "medium" => "warn",
                        "low" => "bar",
                        other => class(other),
                    },
                    count,
                )
            })
            .collect();
        let coverage: Vec<(&str, &str, u64)> = Coverage::ALL
            .into_iter()
            .map(|state| {
                (
                    state.as_str(),
                    match state {
                        Coverage::Missing => "critical",
                        other => class(other.as_str()),
                    },
                    sessions.coverage.get(state.as_str()).copied().unwrap_or_default(),
                )
            })
            .collect();
        html! {
            section aria-labelledby="pattern" {
                h2 id="pattern" { "The pattern" }
                div.plots {
                    (plots::days(&sessions.days))
                    (plots::hours(&sessions.weekday_hour, &self.whole.period.time_zone))
                    (plots::top("principals", "Who: identities with most sessions", "Nodes", &sessions.by_principal, &principal))
                    (plots::top("nodes", "Where: nodes with most sessions", "Identities", &sessions.by_node, &node))
                    (plots::shares("levels", "Findings by level", "How grave the findings are.", &levels))
                    (plots::shares("coverage", "Were sessions recorded?", "Sessions by what is known of them.", &coverage))
                }
            }
        }
    }

    fn rules_section(&self) -> Markup {
        let rules = &self.whole.findings.rules;
        let count = |states: &BTreeMap<String, u64>, state: &str| {
            number(states.get(state).copied().unwrap_or_default())
        };
        html! {
            section aria-labelledby="rules" {
                h2 id="rules" { "Rules that found something" }
                @if rules.is_empty() { p { "No rule found anything in this period." } } @else {
                    div.scroll tabindex="0" role="group" aria-label="Table of rules" { table {
                        thead { tr {
                            th scope="col" { "Rule" } th scope="col" { "Level" } th.number scope="col" { "Findings" }
                            th.number scope="col" { "Sessions" } th.number scope="col" { "Alert delivered" }
                            th.number scope="col" { "Waiting" } th.number scope="col" { "No alert" }
                        } }
                        tbody { @for rule in rules { tr {
                            td.long { (shown(&rule.title)) } td { span class={ "level " (class(&rule.level)) } { (rule.level) } }
                            td.number { (number(rule.findings)) } td.number { (number(rule.sessions)) }
                            td.number { (count(&rule.alert_states, "delivered")) }
                            td.number { (number(["partly", "waiting"].iter().filter_map(|s| rule.alert_states.get(*s)).sum())) }
                            td.number { (count(&rule.alert_states, "none")) }
                        } } }
                    } }
                }
            }
        }
    }

    fn alerts_section(&self) -> Markup {
        html! {
            section aria-labelledby="alerts" {
                h2 id="alerts" { "Alerts" }
                @if self.alerts.is_empty() {
                    p { "No alerts were sent about this period: either nothing was found that anybody wants to hear of, or no routes are set." }
                } @else {
                    p { (counted(self.alerts.len() as u64, "notification", "notifications")) ": "
                        @for (nth, (state, count)) in self.whole.alerts.states.iter().enumerate() {
                            @if nth > 0 { ", " } (number(*count)) " " (state)
                        } ". All are in alerts.csv; those that are not delivered everywhere, and the last, are here." }
                    div.scroll tabindex="0" role="group" aria-label="Table of alerts" { table {
                        thead { tr {
                            th scope="col" { "Due" } th scope="col" { "Level" } th scope="col" { "Rule" } th.number scope="col" { "Findings" }
                            th scope="col" { "State" } th scope="col" { "Delivered to" } th scope="col" { "Delivered" }
                        } }
                        tbody { @for alert in self.told_alerts() { tr {
                            td.time { (clock(alert.created, self.zone)) }
                            td { span class={ "level " (class(&alert.level)) } { (alert.level) } }
                            td.long { (shown(&alert.rule_title)) } td.number { (number(alert.findings)) } td { (alert.state) }
                            td { (shown(&alert.delivered_to)) } td.time { (clock(alert.delivered, self.zone)) }
                        } } }
                    } }
                }
            }
        }
    }

    /// What is not delivered first, then the last.
    fn told_alerts(&self) -> impl Iterator<Item = &Delivery> {
        let waiting = self.alerts.iter().filter(|alert| alert.state != "delivered");
        let delivered = self.alerts.iter().rev().filter(|alert| alert.state == "delivered");
        waiting.chain(delivered).take(100)
    }

    fn controls_section(&self) -> Markup {
        html! {
            section aria-labelledby="controls" {
                h2 id="controls" { "Controls" }
                p { "What this period has to show for controls of SOC 2, PCI DSS, HIPAA, ISO/IEC 27001 and NIST SP 800-53, as far as access through "
                    "Session Manager can speak to them. Whether that is enough is for the auditor to say." }
                @for controls in self.controls.chunk_by(|a, b| a.framework == b.framework) {
                    @if let Some(first) = controls.first() {
                        h3 { (first.framework) }
                        @for control in controls {
                            details {
                                summary {
                                    strong { (control.control) } " " (control.title) ": "
                                    @if control.rows() > 0 { (counted(control.kinds(), "kind of evidence", "kinds of evidence")) }
                                    @else { span.warn { "no evidence in this period" } }
                                }
                                p { (control.asks) }
                                ul { @for evidence in &control.evidence {
                                    li { (evidence.what) ": " (counted(evidence.rows, "row", "rows")) " of " code { (evidence.file) }
                                        @if !evidence.rows_where.is_empty() { ", " (evidence.rows_where) } }
                                } }
                            }
                        }
                    }
                }
            }
        }
    }

    fn timelines(&self) -> Markup {
        html! {
            section aria-labelledby="timelines-title" id="timelines" {
                h2 id="timelines-title" { "Timelines" }
                p { "Each session with what was run in it."
                    @if (self.sections.len() as u64) < self.whole.sessions.all.sessions {
                        " Of " (number(self.whole.sessions.all.sessions)) " sessions the " (number(self.sections.len() as u64))
                        " that most need a look are here; commands.parquet has all."
                    } }
                p.more hidden { button type="button" data-open="all" { "Open all" } " "
                    button type="button" data-open="none" { "Close all" } }
                @for section in self.sections { (self.section(section)) }
            }
        }
    }

    fn section(&self, section: &Section<'_>) -> Markup {
        let row = &section.row;
        let who = row.principal_arn.map_or_else(|| "identity not known".to_owned(), short);
        let node =
            row.target.map_or_else(|| "node not known".to_owned(), |id| node_name(self.names, id));
        let facts: [(&str, Option<String>); 13] = [
            ("Session", Some(row.session_id.to_owned())),
            ("Identity", row.principal_arn.map(str::to_owned)),
            ("Node", Some(node.clone())),
            ("Account", row.account.map(str::to_owned)),
            ("Region", row.region.map(str::to_owned)),
            ("Document", row.document.map(str::to_owned)),
            ("Reason given", row.reason.map(str::to_owned)),
            ("From", row.source_ip.map(str::to_owned)),
            (
                "Second factor",
                Some(
                    match row.mfa {
                        Some(true) => "yes",
                        Some(false) => "no",
                        None => "not known",
                    }
                    .to_owned(),
                ),
            ),
            ("Ran as", row.run_as.map(str::to_owned)),
            (
                "End",
                row.end.map(|end| {
                    format!(
                        "{} ({})",
                        clock(Some(end), self.zone),
                        row.end_source.unwrap_or_default()
                    )
                }),
            ),
            (
                "Recorded",
                Some(if row.coverage_reason.is_empty() {
                    row.coverage.to_string()
                } else {
                    format!("{}: {}", row.coverage, row.coverage_reason)
                }),
            ),
            (
                "Worth a look",
                (section.notes != Notes::default()).then(|| section.notes.to_string()),
            ),
        ];
        html! {
            details id={ "session-" (section.number) } {
                summary {
                    span.time { (clock(row.start.or(row.end), self.zone)) } " · " (who) " · " (node) " · "
                    span class={ "level " (class(row.coverage.as_str())) } { (row.coverage) }
                    " · " (counted(section.count, "command", "commands"))
                    @if row.findings > 0 { " · " (counted(row.findings, "finding", "findings")) }
                }
                dl { @for (name, value) in &facts { @if let Some(value) = value { dt { (name) } dd { (shown(value)) } } } }
                @if !section.findings.is_empty() {
                    ul { @for ((level, title), count) in &section.findings {
                        li { span class={ "level " (class(level)) } { (level) } " " (shown(title)) @if *count > 1 { " (" (count) " times)" } }
                    } }
                }
                @if section.commands.is_empty() { p.soft { "No commands are known of it." } } @else {
                    ol.commands { @for line in &section.commands { li {
                        span.at { (clock(line.time, self.zone))
                            @if let Some(user) = &line.user { " " (shown(user)) } }
                        span { code { (shown(&line.text)) }
                            @if line.status != "executed" { " " span.warn { "(" (line.status) ")" } }
                            @if line.confidence == "guess" { " " span.soft { "(a guess)" } } }
                    } } }
                    @let more = section.count.saturating_sub(section.commands.len() as u64);
                    @if more > 0 { p.soft { "And " (number(more)) " more in commands.parquet." } }
                }
            }
        }
    }

    fn about(&self) -> Markup {
        let calendar = self.calendar.map_or_else(
            || {
                "No calendar of business hours is set, so no session is told as after hours."
                    .to_owned()
            },
            |name| format!("Business hours are those of the calendar `{name}` of the rules."),
        );
        html! {
            section aria-labelledby="about" {
                h2 id="about" { "How this was made" }
                ul {
                    li { "From " (counted(self.facts.0, "file", "files")) " of facts with " (counted(self.facts.1, "row", "rows"))
                        ", each named with its hash in facts.csv; manifest.json has the hashes of all files of this report." }
                    li { @match self.previous {
                        Some((label, hash)) => { "It follows the report of " (label) ", whose manifest has the SHA-256 " code { (hash) } "." }
                        None => "It follows no other report: the chain of manifests begins here.",
                    } }
                    li { "The rules: " (counted(self.rules.1 as u64, "rule", "rules")) ", SHA-256 " code { (self.rules.0) }
                        ". Findings are what the rules of the day found; later rules change nothing in them." }
                    li { @match &self.whole.integrity {
                        Some(done) => { "CloudTrail's digests were verified from " (clock(Some(done.from), self.zone)) " to "
                            (clock(Some(done.to), self.zone)) ": " (counted(done.log_files_valid, "log file", "log files")) " as they were written, "
                            (counted(done.problems, "problem", "problems")) "." }
                        None => "CloudTrail's own digests were not verified for this period.",
                    } }
                    li { (calendar) }
                    li { "A session is long from " (self.long_hours) " hours. A first access is the first of an identity on a node in "
                        (self.lookback_days) " days." }
                    li { "Commands are reconstructed from what the terminal showed; each says how sure that is. Secrets are masked." }
                    li { "Identities are what AWS authenticated. A role session name, the last part of a role's ARN, was chosen by whoever assumed the role." }
                    li { "Privileged means: run as root, or a line that names sudo, su or their like." }
                    li { "Changes to the trail are told where a rule found them, or where they are about Session Manager." }
                    li { "Access by other ways than Session Manager (SSH keys, serial console, the console of a hypervisor) is not in this report." }
                }
            }
        }
    }
}

/// Text in which nothing hides: control characters and those that turn the writing direction are shown as escapes.
fn shown(text: &str) -> String {
    model::Visible(text).to_string()
}
