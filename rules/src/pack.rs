//! A pack: a directory of rules with its lists and calendars, as text.
//!
//! ```text
//! <area>/<rule>.yml        a rule
//! <area>/<rule>.test.yml   its cases
//! lists/<name>.yml         what `%name%` stands for
//! calendars.yml            what `calendar.<name>` is answered from
//! ```

use std::collections::HashSet;
use std::io;
use std::num::NonZero;
use std::ops::Range;
use std::sync::Arc;
use std::thread;

use crate::calendar::{self, Calendars};
use crate::diagnostic::{Diagnostic, Source};
use crate::link::{self, LinkedCorrelation};
use crate::sigma::spelling;
use crate::sigma::{self, Documents, Filter, Lists, Rule, yaml};

/// A file of a pack.
#[derive(Clone, Debug)]
pub struct PackFile {
    /// Its path below the pack's root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// What a pack holds, read.
#[derive(Clone, Debug, Default)]
pub struct Pack {
    /// The rules, in the order of their paths, with the filters on them.
    pub rules: Vec<Rule>,
    /// The correlations, each behind those that it is made of.
    pub correlations: Vec<LinkedCorrelation>,
    /// The filters, as they were read.
    pub filters: Vec<Filter>,
    /// Calendars.
    pub calendars: Calendars,
    /// Lists.
    pub lists: Lists,
    /// The files whose rules are told, where only a part of the pack was asked for; the others serve: as members of
    /// correlations, as filters.
    pub asked: Option<HashSet<String>>,
    /// Everything that is wrong.
    pub problems: Vec<Diagnostic>,
}

/// Is this the name of a file of test cases?
fn is_cases(path: &str) -> bool {
    path.ends_with(".test.yml") || path.ends_with(".test.yaml")
}

impl Pack {
    /// Reads a pack from its files. What is no rule, list or calendar by its path is left alone.
    pub fn read(files: impl IntoIterator<Item = PackFile>) -> Self {
        let mut files: Vec<PackFile> = files
            .into_iter()
            .filter(|file| file.path.ends_with(".yml") || file.path.ends_with(".yaml"))
            .filter(|file| !is_cases(&file.path))
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let mut pack = Self::default();
        let mut rules = Vec::new();
        for PackFile { path, text } in files {
            let source = Arc::new(Source { name: path, text });
            let mut parts = source.name.rsplit('/');
            let file = parts.next().unwrap_or_default();
            if matches!(file, "calendars.yml" | "calendars.yaml") {
                for (name, calendar) in calendar::parse(&source, &mut pack.problems) {
                    if pack.calendars.insert(name.clone(), calendar).is_some() {
                        let message = format!("there is another calendar `{name}`");
                        pack.problems.push(Diagnostic::error(&source, 0..1, message));
                    }
                }
            } else if parts.next() == Some("lists") {
                let name = file.rsplit_once('.').map_or(file, |(name, _)| name).to_owned();
                if pack.lists.contains_key(&name) {
                    let message = format!("there is another list `{name}`");
                    pack.problems.push(Diagnostic::error(&source, 0..1, message));
                } else if let Some(entries) = list(&source, &mut pack.problems) {
                    pack.lists.insert(name, entries);
                }
            } else {
                rules.push(source);
            }
        }
        let mut read = Documents::default();
        for (Documents { rules, correlations, filters }, problems) in parse(&rules, &pack.lists) {
            read.rules.extend(rules);
            read.correlations.extend(correlations);
            read.filters.extend(filters);
            pack.problems.extend(problems);
        }
        let linked = link::link(read, &mut pack.problems);
        for rule in &linked.rules {
            pack.problems.extend(unknown_fields(rule, &pack.calendars));
        }
        Self {
            rules: linked.rules,
            correlations: linked.correlations,
            filters: linked.filters,
            ..pack
        }
    }
}

/// Fewer files are read as fast by one thread.
const WORTH_A_THREAD: usize = 64;

/// Reads files of rules, in parts side by side; in their order.
fn parse(sources: &[Arc<Source>], lists: &Lists) -> Vec<(Documents, Vec<Diagnostic>)> {
    let one = |part: &[Arc<Source>]| {
        let mut problems = Vec::new();
        let (mut rules, mut correlations, mut filters) = (Vec::new(), Vec::new(), Vec::new());
        for source in part {
            let read = sigma::parse(source, lists, &mut problems);
            rules.extend(read.rules);
            correlations.extend(read.correlations);
            filters.extend(read.filters);
        }
        (Documents { rules, correlations, filters }, problems)
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = threads.min(sources.len() / WORTH_A_THREAD).max(1);
    let mut parts = sources.chunks(sources.len().div_ceil(threads).max(1));
    let Some(first) = parts.next() else { return Vec::new() };
    thread::scope(|scope| {
        let spawn = |part| (part, thread::Builder::new().spawn_scoped(scope, move || one(part)));
        let others: Vec<_> = parts.map(spawn).collect();
        let first = one(first);
        // Where there is no thread it is done here.
        let join =
            |(part, other): (&[Arc<Source>], io::Result<thread::ScopedJoinHandle<'_, _>>)| {
                other.ok().and_then(|thread| thread.join().ok()).unwrap_or_else(|| one(part))
            };
        let others = others.into_iter().map(join);
        std::iter::once(first).chain(others).collect()
    })
}

/// A field, and where it is named.
type Named<'a> = (&'a str, &'a Arc<Source>, Range<usize>);

/// Fields of this product's own that the rule names and that do not exist: it could never fire on them.
fn unknown_fields(rule: &Rule, calendars: &Calendars) -> Vec<Diagnostic> {
    let names = rule.fields();
    let problem = |(name, source, span): Named<'_>, what: &str, known: &[&str]| {
        let last = name.rsplit('.').next().unwrap_or(name);
        let help = match spelling::nearest(last, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => "there are none; write a calendars.yml into the directory of the rules: \
                                         business_hours: {time_zone: Europe/Berlin, weekdays: [mon, tue, wed, thu, \
                                         fri], hours: ['07:00-19:00']}"
                .to_owned(),
            None => format!("there are: {}", known.join(", ")),
        };
        let message = format!("there is no {what}");
        Diagnostic::lint("unknown-field", source, span, message).with_help(help)
    };
    names
        .into_iter()
        .filter_map(|named| {
            let name = named.0;
            if let Some(calendar) = name.strip_prefix("calendar.") {
                let known: Vec<&str> = calendars.keys().map(String::as_str).collect();
                return (!calendars.contains_key(calendar))
                    .then(|| problem(named, &format!("calendar `{calendar}`"), &known));
            }
            let field = name.strip_prefix("session.")?;
            (!model::SESSION_FIELDS.contains(&field))
                .then(|| problem(named, &format!("field `{name}`"), &model::SESSION_FIELDS))
        })
        .collect()
}

fn list(source: &Arc<Source>, problems: &mut Vec<Diagnostic>) -> Option<Vec<String>> {
    let documents = match yaml::documents(source) {
        Ok(documents) => documents,
        Err(problem) => {
            problems.push(*problem);
            return None;
        }
    };
    let mut entries = Vec::new();
    for item in documents.iter().flat_map(yaml::Node::items) {
        match item.scalar_text(source) {
            Some(text) => entries.push(text),
            None => problems.push(Diagnostic::error(
                source,
                item.span.clone(),
                format!("a list's entries are text, this is {}", item.kind()),
            )),
        }
    }
    Some(entries)
}
