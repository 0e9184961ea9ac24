//! What is probably not meant as it is written: the lints.
//!
//! | file | finds |
//! | --- | --- |
//! | `mod` | what a rule or a filter lacks or says in vain |
//! | `correlation` | the same of a correlation |
//! | `fields` | fields that no event has |
//! | `logic` | conditions that never or always hold |

mod correlation;
pub mod fields;
mod logic;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use jiff::civil::Date;
use model::EventKind;

use self::fields::Known;
use crate::Member;
use crate::diagnostic::{Diagnostic, Severity, Source};
use crate::pack::Pack;
use crate::sigma::condition::Condition;
use crate::sigma::{Filter, Item, Meta, Rule, Selection, Status, Test};

/// A lint, for `--allow` and for the documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lint {
    /// Its name.
    pub code: &'static str,
    /// What it finds, in a line.
    pub about: &'static str,
}

/// Every lint.
pub const LINTS: &[Lint] = &[
    Lint { code: NO_TEST, about: "no cases beside the rule" },
    Lint { code: NO_LEVEL, about: "no `level`: it counts as medium" },
    Lint { code: NO_ID, about: "no `id`: findings and lists of exceptions need one that stays" },
    Lint { code: NO_OWNER, about: "no `owner`: nobody answers for it" },
    Lint { code: NO_DESCRIPTION, about: "no `description`" },
    Lint { code: UNKNOWN_FIELD, about: "a field that no event of the log source has" },
    Lint { code: UNREAD_LOGSOURCE, about: "a log source of which no events are read" },
    Lint {
        code: UNUSED_SELECTION,
        about: "a search identifier that the condition does not use, or an alias that nothing asks for",
    },
    Lint { code: NEVER_MATCHES, about: "no event can match" },
    Lint { code: ALWAYS_MATCHES, about: "every event matches" },
    Lint { code: MATCHES_ABSENCE, about: "an event that has none of the fields matches" },
    Lint { code: IMAGE_WITHOUT_PATH, about: "a program's whole name without its path" },
    Lint {
        code: UNBOUNDED_REGEX,
        about: "an expression that fits anything, or begins or ends with `.*`",
    },
    Lint { code: EXPIRED, about: "`expires` lies in the past" },
    Lint { code: BAD_DATE, about: "a date that is not written YYYY-MM-DD" },
    Lint { code: BAD_TAG, about: "a tag that is not `namespace.name` in lower case" },
    Lint { code: BAD_ID, about: "an `id` that is no UUID" },
    Lint { code: NOT_IN_USE, about: "`status: unsupported` or `deprecated`" },
    Lint { code: TAXONOMY, about: "a taxonomy other than `sigma`" },
    Lint { code: FILTER_KEEPS, about: "a filter without `not`: it lets only pass what it selects" },
    Lint { code: ALIAS_INCOMPLETE, about: "an alias that leaves out one of the rules" },
    Lint { code: FILTER_IDLE, about: "a filter that is for no rule here" },
    Lint {
        code: SILENCED,
        about: "a rule that a correlation keeps from being told, in another file",
    },
];

const NO_TEST: &str = "no-test";
const NO_LEVEL: &str = "no-level";
const NO_ID: &str = "no-id";
const NO_OWNER: &str = "no-owner";
const NO_DESCRIPTION: &str = "no-description";
const UNKNOWN_FIELD: &str = "unknown-field";
const UNREAD_LOGSOURCE: &str = "unread-logsource";
const UNUSED_SELECTION: &str = "unused-selection";
const NEVER_MATCHES: &str = "never-matches";
const ALWAYS_MATCHES: &str = "always-matches";
const MATCHES_ABSENCE: &str = "matches-absence";
const IMAGE_WITHOUT_PATH: &str = "image-without-path";
const UNBOUNDED_REGEX: &str = "unbounded-regex";
const EXPIRED: &str = "expired";
const BAD_DATE: &str = "bad-date";
const BAD_TAG: &str = "bad-tag";
const BAD_ID: &str = "bad-id";
const NOT_IN_USE: &str = "not-in-use";
const TAXONOMY: &str = "taxonomy";
const FILTER_KEEPS: &str = "filter-keeps";
const FILTER_IDLE: &str = "filter-idle";
const ALIAS_INCOMPLETE: &str = "alias-incomplete";
const SILENCED: &str = "silenced";

/// What the lints have to know beside the pack.
#[derive(Debug)]
pub struct Circumstances<'a> {
    /// Kinds of event that are read.
    pub read: &'a [EventKind],
    /// Files of rules that have cases, by path.
    pub tested: &'a HashSet<String>,
    /// The day on which is asked.
    pub today: Date,
}

/// Everything that the lints find, in the order of the pack.
pub fn check(pack: &Pack, around: &Circumstances<'_>) -> Vec<Diagnostic> {
    let mut checker = Checker { pack, around, found: Vec::new() };
    for rule in &pack.rules {
        checker.rule(rule);
    }
    for linked in &pack.correlations {
        checker.correlation(linked);
    }
    for filter in &pack.filters {
        checker.filter(filter);
    }
    let mut found = checker.found;
    found.sort_by(|a, b| (&a.source.name, a.span.start).cmp(&(&b.source.name, b.span.start)));
    found
}

struct Checker<'a> {
    pack: &'a Pack,
    around: &'a Circumstances<'a>,
    found: Vec<Diagnostic>,
}

impl Checker<'_> {
    fn lint(
        &mut self,
        code: &'static str,
        source: &Arc<Source>,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let mut problem = Diagnostic::lint(code, source, span, message);
        problem.help = Some(help.into()).filter(|help| !help.is_empty());
        self.found.push(problem);
    }

    fn about(&mut self, code: &'static str, meta: &Meta, message: impl Into<String>, help: &str) {
        self.lint(code, &meta.source, meta.title_span.clone(), message, help);
    }

    /// Where the value of an attribute stands in a document.
    fn value(meta: &Meta, key: &str) -> Range<usize> {
        let text = meta.source.text.get(meta.span.clone()).unwrap_or_default();
        let at = text.match_indices(key).map(|(at, _)| at).find(|&at| {
            let begins = at == 0 || text[..at].ends_with('\n');
            begins && text[at + key.len()..].starts_with(':')
        });
        at.map_or(meta.title_span.clone(), |at| {
            let start = meta.span.start + at;
            let line = text[at..].find('\n').unwrap_or(text.len() - at);
            start..start + line
        })
    }

    fn meta(&mut self, meta: &Meta) {
        if !meta.has_id {
            let help = "a UUID that never changes; `ssm-audit rules new` makes one";
            self.about(NO_ID, meta, "no `id`", help);
        } else if !is_uuid(&meta.info.id) {
            let span = Self::value(meta, "id");
            let message = format!("`{}` is no UUID", meta.info.id);
            self.lint(
                BAD_ID,
                &meta.source,
                span,
                message,
                "an id that others could choose too clashes",
            );
        }
        if meta.description.is_none() {
            let help = "what does it see, and why does that matter?";
            self.about(NO_DESCRIPTION, meta, "no `description`", help);
        }
        for (key, date) in
            [("date", &meta.date), ("modified", &meta.modified), ("expires", &meta.expires)]
        {
            let Some(date) = date else { continue };
            // A parser of dates takes more than that.
            let is_written = date.len() == "2026-11-20".len();
            match date.parse::<Date>() {
                Ok(_) if !is_written => {
                    let message = format!("`{date}` is not written YYYY-MM-DD");
                    let span = Self::value(meta, key);
                    self.lint(BAD_DATE, &meta.source, span, message, "such as 2026-11-20");
                }
                Ok(day) if key == "expires" && day < self.around.today => {
                    let span = Self::value(meta, key);
                    self.lint(
                        EXPIRED,
                        &meta.source,
                        span,
                        format!("expired on {day}"),
                        "remove it, or look whether it is still right and set a new date",
                    );
                }
                Ok(_) => {}
                Err(_) => {
                    let span = Self::value(meta, key);
                    let message = format!("`{date}` is no date");
                    self.lint(BAD_DATE, &meta.source, span, message, "such as 2026-11-20");
                }
            }
        }
        for tag in &meta.info.tags {
            let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
            let has_parts =
                tag.split_once('.').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty());
            if !has_parts || !tag.chars().all(fits) {
                let text = &meta.source.text[meta.span.clone()];
                let tags = text.find("\ntags").unwrap_or(0);
                let at = text[tags..].find(tag.as_str()).map_or(0, |at| tags + at);
                let span = meta.span.start + at..meta.span.start + at + tag.len();
                let message = format!("`{tag}` is no tag");
                let help = "a namespace, a dot and a name, in lower case: attack.t1059.004";
                self.lint(BAD_TAG, &meta.source, span, message, help);
            }
        }
        match meta.status {
            Some(Status::Unsupported) => {
                let span = Self::value(meta, "status");
                let message = "this rule cannot be used as it is: its matches are not told";
                self.lint(NOT_IN_USE, &meta.source, span, message, "");
            }
            Some(Status::Deprecated) => {
                let span = Self::value(meta, "status");
                let message = "this rule has been replaced; it still runs";
                self.lint(NOT_IN_USE, &meta.source, span, message, "remove it");
            }
            _ => {}
        }
        if let Some(taxonomy) = meta.taxonomy.as_deref().filter(|name| *name != "sigma") {
            let span = Self::value(meta, "taxonomy");
            let message = format!("the taxonomy `{taxonomy}` is not known");
            let help = "fields are looked for as they are written";
            self.lint(TAXONOMY, &meta.source, span, message, help);
        }
    }

    fn is_tested(&self, meta: &Meta) -> bool {
        self.around.tested.contains(&meta.source.name)
    }

    /// Is it only a part of a correlation in its own file, which is not told on its own?
    fn is_part(&self, meta: &Meta) -> bool {
        self.pack.correlations.iter().any(|linked| {
            linked.correlation.meta.source.name == meta.source.name
                && linked.correlation.generate != Some(true)
                && linked.members.iter().any(|member| std::ptr::eq(self.meta_of(*member), meta))
        })
    }

    fn meta_of(&self, member: Member) -> &Meta {
        match member {
            Member::Rule(at) => &self.pack.rules[at].meta,
            Member::Correlation(at) => &self.pack.correlations[at].correlation.meta,
        }
    }

    /// What a rule and a correlation have to have to be told.
    fn told(&mut self, meta: &Meta) {
        // With a broken correlation in the file it is not known what is a part of it.
        let broken = self.pack.problems.iter().any(|problem| {
            problem.severity == Severity::Error && problem.source.name == meta.source.name
        });
        if broken || self.is_part(meta) {
            return;
        }
        if !meta.has_level {
            let help = "one of informational, low, medium, high, critical";
            self.about(NO_LEVEL, meta, "no `level`: it counts as medium", help);
        }
        if meta.owner.is_none() {
            let help = "the team that is asked when it fires";
            self.about(NO_OWNER, meta, "no `owner`", help);
        }
        if !self.is_tested(meta) {
            let stem = meta.source.name.rsplit_once('.').map_or("", |(stem, _)| stem);
            let message = format!("no cases: there is no {stem}.test.yml with any");
            self.about(NO_TEST, meta, message, "`ssm-audit rules new` shows how they look");
        }
    }

    fn rule(&mut self, rule: &Rule) {
        self.meta(&rule.meta);
        self.told(&rule.meta);
        let kinds: Vec<EventKind> =
            EventKind::ALL.into_iter().filter(|kind| rule.logsource.applies_to(*kind)).collect();
        let read = kinds.iter().any(|kind| self.around.read.contains(kind));
        if read {
            self.fields(rule, &kinds);
        } else {
            let span = Self::value(&rule.meta, "logsource");
            let message = format!("no events of {} are read here", rule.logsource);
            let help = "there are: product aws, service cloudtrail; product linux or windows, category \
                        process_creation; product aws, service session_manager, category command, transcript, session \
                        or coverage";
            self.lint(UNREAD_LOGSOURCE, rule.source(), span, message, help);
        }
        self.unused(&rule.selections[..rule.own_selections], &rule.condition);
        let mut items: Vec<(&Item, &Arc<Source>)> = Vec::new();
        for selection in &rule.selections[..rule.own_selections] {
            let mut own = Vec::new();
            selection.search.items(&mut own);
            items.extend(own.into_iter().map(|item| (item, &selection.source)));
        }
        for (item, source) in items {
            if matches!(item.field.as_deref(), Some("Image" | "ParentImage"))
                && let Test::Pattern { pattern, .. } = &item.test
                && let Some(name) = pattern.as_literal()
                && !name.is_empty()
                && !name.contains(['/', '\\'])
                && rule.logsource.category.as_deref() == Some("process_creation")
            {
                let message = format!("no program's path is `{name}`");
                let help = "a program is known by its path: `Image|endswith: /name`";
                self.lint(IMAGE_WITHOUT_PATH, source, item.span.clone(), message, help);
            }
            if let Test::Regex(expression) = &item.test
                && let Some((message, help)) = unbounded(expression.source(), &item.test)
            {
                self.lint(UNBOUNDED_REGEX, source, item.span.clone(), message, help);
            }
        }
        let span = rule.condition_span.clone();
        match logic::verdict(rule, if kinds.is_empty() { &[EventKind::CloudTrail] } else { &kinds })
        {
            logic::Verdict::Never => self.lint(
                NEVER_MATCHES,
                rule.source(),
                span,
                "no event can match this",
                "two of the things it asks for exclude each other",
            ),
            logic::Verdict::Always => {
                self.lint(ALWAYS_MATCHES, rule.source(), span, "every event matches this", "");
            }
            logic::Verdict::EvenIfAbsent => self.lint(
                MATCHES_ABSENCE,
                rule.source(),
                span,
                "this matches events that have none of its fields",
                "ask for something that is there, such as an eventName",
            ),
            logic::Verdict::Fine => {}
        }
    }

    /// Calendars answer with one of two words.
    fn calendars(&mut self, rule: &Rule) {
        for selection in &rule.selections {
            let mut items = Vec::new();
            selection.search.items(&mut items);
            for item in items {
                let Test::Pattern { pattern, .. } = &item.test else { continue };
                let Some(text) = pattern.as_literal() else { continue };
                let is_calendar = item.field.as_deref().is_some_and(|f| f.starts_with("calendar."));
                if is_calendar && !["inside", "outside"].contains(&text) {
                    let message = format!("no calendar answers `{text}`");
                    let help = "there are: inside, outside";
                    self.lint(NEVER_MATCHES, &selection.source, item.span.clone(), message, help);
                }
            }
        }
    }

    fn fields(&mut self, rule: &Rule, kinds: &[EventKind]) {
        self.calendars(rule);
        for (name, source, span) in rule.fields() {
            // Calendars and session fields are told when the pack is read.
            if name.starts_with("calendar.") || name.starts_with("session.") {
                continue;
            }
            let Known::No(near) = fields::known(name, kinds, &self.pack.calendars) else {
                continue;
            };
            let help = near.map_or_else(
                || {
                    let mut known: Vec<&str> =
                        kinds.iter().flat_map(|kind| fields::own(*kind)).copied().collect();
                    known.dedup();
                    if known.len() > 20 {
                        String::new()
                    } else {
                        format!("there are: {}", known.join(", "))
                    }
                },
                |near| format!("did you mean `{near}`?"),
            );
            let message = format!("no event of {} has a field `{name}`", rule.logsource);
            self.lint(UNKNOWN_FIELD, source, span, message, help);
        }
    }

    fn unused(&mut self, selections: &[Selection], condition: &Condition) {
        let mut used = Vec::new();
        condition.searches(&mut used);
        for (at, selection) in selections.iter().enumerate() {
            if !used.contains(&at) {
                self.lint(
                    UNUSED_SELECTION,
                    &selection.source,
                    selection.span.clone(),
                    format!("the condition does not use `{}`", selection.name),
                    if selection.name.starts_with('_') {
                        "`them` leaves out what begins with an underscore"
                    } else {
                        "name it in the condition, or remove it"
                    },
                );
            }
        }
    }

    fn filter(&mut self, filter: &Filter) {
        self.meta(&filter.meta);
        self.unused(&filter.selections, &filter.condition);
        if !has_not(&filter.condition) {
            self.lint(
                FILTER_KEEPS,
                &filter.meta.source,
                filter.condition_span.clone(),
                "this lets only pass what the filter selects",
                "to leave it out, write `not` in front: `condition: not selection`",
            );
        }
        let title = format!("{}/", filter.meta.info.title);
        let is_laid = self.pack.rules.iter().any(|rule| {
            rule.selections[rule.own_selections..].iter().any(|s| s.name.starts_with(&title))
        });
        if !is_laid {
            let help = format!("it is for rules of {}", filter.logsource);
            self.about(FILTER_IDLE, &filter.meta, "this filter is for no rule here", &help);
        }
    }
}

fn has_not(condition: &Condition) -> bool {
    match condition {
        Condition::Search(_) => false,
        Condition::Not(_) => true,
        Condition::And(items) | Condition::Or(items) => items.iter().any(has_not),
    }
}

/// 8-4-4-4-12 hexadecimal digits.
fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// What is too much about an expression, and what to do.
fn unbounded(source: &str, test: &Test) -> Option<(&'static str, &'static str)> {
    if test.matches("") {
        return Some((
            "this expression fits any value, even an empty one",
            "to ask whether a field is there, write `field|exists: true`",
        ));
    }
    let body = source.trim_start_matches("(?i)").trim_start_matches("(?s)");
    let open_end = body.ends_with(".*") && !body.ends_with(r"\.*");
    if body.starts_with(".*") || open_end {
        return Some((
            "`.*` at an end has no effect: an expression is found anywhere",
            "leave it out, or anchor the expression with `^` and `$`",
        ));
    }
    None
}
