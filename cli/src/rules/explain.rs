//! `ssm-audit rules explain`

use std::io::{self, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style};
use ingest::{Limits, Problem, ProblemKind};
use model::{ShellFamily, Visible};
use pipeline::cases::Happening;
use pipeline::explain::{self, Correlated, Explained, Nearest};
use pipeline::pack::Opened;
use pipeline::scan::Options;
use report::mask::Masker;
use rules::evaluate::{ItemTrace, SelectionTrace, Trace};
use rules::sigma::{CorrelationCondition, Meta, Status};
use rules::{LinkedCorrelation, Member, Rule, RuleSet, Severity};

use super::args::{ExplainArgs, Shell};
use crate::diagnostics;
use crate::exit::{Failure, Outcome, tell};
use crate::input::time;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

pub(crate) fn run(args: &ExplainArgs) -> Result<Outcome, Failure> {
    let file = Path::new(&args.rule);
    let (opened, pack) =
        if file.is_file() { super::open(Some(file))? } else { super::open(args.rules.as_deref())? };
    if file.is_file() {
        let own = pack.problems.iter().filter(|problem| opened.is_asked_for(&problem.source.name));
        diagnostics::show(&own.cloned().collect::<Vec<_>>());
    }
    let problems = pack.problems.clone();
    let set = RuleSet::compile(pack);
    let rule = if file.is_file() {
        of_file(&set, &opened)
            .ok_or_else(|| Failure::usage(format!("no rule without errors in {}", args.rule)))?
    } else {
        find(&set, &args.rule).inspect_err(|_| {
            // It may be there, and be left out for what is wrong with it.
            let errors = problems.iter().filter(|problem| problem.severity == Severity::Error);
            diagnostics::show(&errors.cloned().collect::<Vec<_>>());
        })?
    };
    let found = || {
        let found = ingest::source::find(&args.events);
        match found.unreadable.first() {
            None => Ok(found),
            Some(unreadable) => {
                let (path, error) = (Visible(&unreadable.path), &unreadable.error);
                Err(Failure::usage(format!("{path}: {error}")))
            }
        }
    };
    let rule = match rule {
        Member::Rule(rule) if set.rules()[rule].meta.status == Some(Status::Unsupported) => {
            return Err(Failure::usage(
                "`status: unsupported`: this rule is not in use, and there is nothing to explain",
            ));
        }
        Member::Rule(rule) => rule,
        Member::Correlation(index) => {
            if args.line.is_some() {
                return Err(Failure::usage(
                    "a correlation is about several events; give files instead of --command",
                ));
            }
            let told = explain::correlation(&set, index, found()?, &Options::default())?;
            tell_problems(&told.problems);
            show_correlation(&mut anstream::stdout(), &set.correlations()[index], &told)?;
            return Ok(if told.fires > 0 { Outcome::Done } else { Outcome::Findings });
        }
    };
    let explained = match &args.line {
        Some(line) => {
            let zone = jiff::tz::TimeZone::UTC;
            let time = args.at.as_deref().map(|text| time(text, &zone)).transpose()?;
            let shell = match args.shell {
                Shell::Posix => ShellFamily::Posix,
                Shell::Powershell => ShellFamily::PowerShell,
            };
            explain::happening(&set, rule, &Happening::of_line(line, shell, time))
        }
        None => explain::files(&set, rule, found()?, &Limits::default()),
    };
    tell_problems(&explained.problems);
    let masker = Masker { reveal: args.reveal };
    let mut out = anstream::stdout();
    show(&mut out, &set.rules()[rule], &explained, masker)?;
    Ok(if explained.fires > 0 { Outcome::Done } else { Outcome::Findings })
}

fn tell_problems(problems: &[Problem]) {
    for problem in problems.iter().filter(|problem| problem.kind == ProblemKind::Failed) {
        let place = problem.place.to_string();
        tell(&format!("not read: {}: {}", Visible(&place), Visible(&problem.reason)));
    }
}

/// What is told of a file: its correlation, else its first rule.
fn of_file(set: &RuleSet, opened: &Opened) -> Option<Member> {
    let own = |meta: &Meta| opened.is_asked_for(&meta.source.name);
    let mut correlations = (0..set.correlations().len())
        .filter(|at| own(&set.correlations()[*at].correlation.meta))
        .map(|at| (Member::Correlation(at), set.is_correlation_told(at)))
        .collect::<Vec<_>>();
    // What is told comes first.
    correlations.sort_by_key(|(_, told)| !told);
    let rules = (0..set.rules().len()).filter(|at| own(&set.rules()[*at].meta));
    let rules = rules.map(|at| (Member::Rule(at), set.is_told(at)));
    let all: Vec<(Member, bool)> = correlations.into_iter().chain(rules).collect();
    let title = |member: Member| match member {
        Member::Rule(at) => &set.rules()[at].info().title,
        Member::Correlation(at) => &set.correlations()[at].correlation.meta.info.title,
    };
    let told: Vec<Member> = all.iter().filter(|(_, told)| *told).map(|(one, _)| *one).collect();
    if let [first, second, ..] = *told {
        tell(&format!(
            "there are {} rules in this file, and this is about `{}`; for another give its title, as in `rules explain '{}' --rules \
             FILE EVENTS…`",
            told.len(),
            Visible(title(first)),
            Visible(title(second)),
        ));
    }
    told.first().or(all.first().map(|(member, _)| member)).copied()
}

/// A rule by its id, name, title or the name of its file.
fn find(set: &RuleSet, wanted: &str) -> Result<Member, Failure> {
    let stem = |meta: &Meta| {
        let file = meta.source.name.rsplit('/').next().unwrap_or_default();
        file.rsplit_once('.').map_or(file, |(stem, _)| stem).to_owned()
    };
    let fits = |meta: &Meta| {
        meta.names().any(|name| name == wanted)
            || meta.info.title.eq_ignore_ascii_case(wanted)
            || stem(meta) == wanted
    };
    // Of a file with several documents what is told is meant.
    let rules = || {
        let fitting = (0..set.rules().len()).filter(|at| fits(&set.rules()[*at].meta));
        fitting.map(|at| (Member::Rule(at), set.is_told(at)))
    };
    let correlations = || {
        let all = 0..set.correlations().len();
        let fitting = all.filter(|at| fits(&set.correlations()[*at].correlation.meta));
        fitting.map(|at| (Member::Correlation(at), set.is_correlation_told(at)))
    };
    let told = correlations().chain(rules()).find(|(_, told)| *told);
    if let Some((member, _)) = told.or_else(|| correlations().chain(rules()).next()) {
        return Ok(member);
    }
    let stems: Vec<String> = set.rules().iter().map(|rule| stem(&rule.meta)).collect();
    let near = rules::nearest(wanted, stems.iter().map(String::as_str));
    let help = near.map_or_else(
        || "`ssm-audit rules list` lists them".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    Err(Failure::usage(format!("there is no file and no rule `{}`; {help}", Visible(wanted))))
}

fn show(out: &mut dyn Write, rule: &Rule, explained: &Explained, masker: Masker) -> io::Result<()> {
    let Some(Nearest { what, place, explanation, .. }) = &explained.nearest else {
        writeln!(
            out,
            "{BAD}does not fire{BAD:#}: the rule is for {}, and none of the {} events is of that kind",
            rule.logsource, explained.others
        )?;
        return Ok(());
    };
    let (colour, verdict) =
        if explanation.fires { (GOOD, "fires") } else { (BAD, "does not fire") };
    let title = Visible(&rule.info().title);
    writeln!(out, "{colour}{verdict}{colour:#}: {BOLD}{title}{BOLD:#}")?;
    writeln!(out, "  {DIM}{}{DIM:#}", Visible(&rule.source().name))?;
    let what = masker.text(what);
    let place = place.as_ref().map_or_else(String::new, |place| format!("  {place}"));
    writeln!(out, "  on {}{DIM}{}{DIM:#}", Visible(&what), Visible(&place))?;
    if explained.events > 1 {
        let which = if explained.fires > 0 { "one of those" } else { "the nearest" };
        writeln!(
            out,
            "  {DIM}of {} events that it is for it fires on {}; this is {which}{DIM:#}",
            explained.events, explained.fires
        )?;
    }
    for selection in &explanation.selections {
        writeln!(out)?;
        show_selection(out, selection, explanation.fires, masker)?;
    }
    let condition = rule.source().text.get(rule.condition_span.clone()).unwrap_or_default();
    writeln!(out, "\n  {DIM}condition:{DIM:#} {}", Visible(condition.trim()))?;
    if rule.selections.len() > rule.own_selections {
        writeln!(out, "  {DIM}and what the filters on it ask, whose selections stand last{DIM:#}")?;
    }
    Ok(())
}

fn show_selection(
    out: &mut dyn Write,
    selection: &SelectionTrace,
    fires: bool,
    masker: Masker,
) -> io::Result<()> {
    let (colour, held) = if selection.holds { (GOOD, "holds") } else { (BAD, "does not hold") };
    let note = match (selection.is_used, selection.decides) {
        (false, _) => ", and the condition does not use it",
        (true, true) if !fires => " ← this alone keeps it from firing",
        _ => "",
    };
    let name = Visible(&selection.name);
    writeln!(out, "  {BOLD}{name}{BOLD:#} {colour}{held}{colour:#}{note}")?;
    show_trace(out, &selection.trace, 4, masker)
}

/// Alternatives shown of a long list that did not hold.
const SHOWN: usize = 8;

fn show_trace(out: &mut dyn Write, trace: &Trace, indent: usize, masker: Masker) -> io::Result<()> {
    match trace {
        Trace::All(items) => {
            items.iter().try_for_each(|item| show_trace(out, item, indent, masker))
        }
        Trace::Any(items) => {
            let colour = if trace.holds() { GOOD } else { BAD };
            let mark = if trace.holds() { "✓" } else { "✗" };
            writeln!(out, "{:indent$}{colour}{mark}{colour:#} one of", "")?;
            // What holds comes first; of the others a few are enough.
            let held = items.iter().filter(|item| item.holds());
            let failed: Vec<&Trace> = items.iter().filter(|item| !item.holds()).collect();
            let most = if trace.holds() { 0 } else { SHOWN };
            for item in held.chain(failed.iter().take(most).copied()) {
                show_trace(out, item, indent + 2, masker)?;
            }
            let left = failed.len().saturating_sub(most);
            if left > 0 {
                let indent = indent + 2;
                writeln!(out, "{:indent$}{DIM}… and {left} that do not{DIM:#}", "")?;
            }
            Ok(())
        }
        Trace::Not(inner) => {
            let colour = if trace.holds() { GOOD } else { BAD };
            let mark = if trace.holds() { "✓" } else { "✗" };
            writeln!(out, "{:indent$}{colour}{mark}{colour:#} not", "")?;
            show_trace(out, inner, indent + 2, masker)
        }
        Trace::Item(item) => show_item(out, item, indent, masker),
    }
}

fn show_item(
    out: &mut dyn Write,
    item: &ItemTrace,
    indent: usize,
    masker: Masker,
) -> io::Result<()> {
    let (colour, mark) = if item.holds { (GOOD, "✓") } else { (BAD, "✗") };
    let field = item.field.as_deref().unwrap_or("any value");
    let values: Vec<String> =
        item.values.iter().map(|value| masker.text(value).into_owned()).collect();
    let value = match values.as_slice() {
        [] if item.is_present => "it is null".to_owned(),
        [] if item.field.is_none() => String::new(),
        [] => "it is not there".to_owned(),
        [value] => format!("it is `{value}`"),
        values => format!("it is `{}`", values.join("`, `")),
    };
    let asked = masker.text(&item.test).into_owned();
    writeln!(
        out,
        "{:indent$}{colour}{mark}{colour:#} {} {}  {DIM}{}{DIM:#}",
        "",
        Visible(field),
        Visible(&asked),
        Visible(&value),
    )
}

/// Groups shown of a correlation.
const GROUPS: usize = 5;

fn show_correlation(
    out: &mut dyn Write,
    linked: &LinkedCorrelation,
    told: &Correlated,
) -> io::Result<()> {
    let correlation = &linked.correlation;
    let title = Visible(&correlation.meta.info.title);
    let (colour, verdict) = if told.fires > 0 { (GOOD, "fires") } else { (BAD, "does not fire") };
    let times = if told.fires > 1 { format!(", {} times", told.fires) } else { String::new() };
    writeln!(out, "{colour}{verdict}{colour:#}: {BOLD}{title}{BOLD:#}{times}")?;
    writeln!(out, "  {DIM}{}{DIM:#}\n", Visible(&correlation.meta.source.name))?;
    let asked = match &correlation.condition {
        CorrelationCondition::Rules(_) => "the condition below".to_owned(),
        CorrelationCondition::Bounds(bounds) if bounds.is_empty() => {
            format!("all {} of its rules", linked.members.len())
        }
        CorrelationCondition::Bounds(bounds) => {
            let words = bounds.iter().map(|bound| match bound.comparison {
                Some(comparison) => format!("{comparison} {}", bound.number),
                None => format!("exactly {}", bound.number),
            });
            words.collect::<Vec<_>>().join(" and ")
        }
    };
    let fields = if correlation.fields.is_empty() {
        String::new()
    } else {
        format!(" of {}", correlation.fields.join(", "))
    };
    let span = correlation.timespan.as_secs();
    let kind = correlation.kind.as_str();
    writeln!(out, "  asked: {kind}{fields}, {asked}, within {span} s")?;
    for (reference, matches) in correlation.rules.iter().zip(&told.matches) {
        let colour = if *matches > 0 { GOOD } else { BAD };
        let name = Visible(&reference.text);
        writeln!(out, "    {colour}{matches:>6}{colour:#} matches of {name}")?;
    }
    if told.peaks.is_empty() && told.matches.iter().any(|matches| *matches > 0) {
        let of = correlation.group_by.join(", ");
        let numbers = correlation.fields.join(", ");
        match (of.is_empty(), numbers.is_empty()) {
            (true, true) => writeln!(out, "  none of these events has a time")?,
            (true, false) => {
                writeln!(out, "  none of these events has a time and a value of {numbers}")?;
            }
            (false, _) => {
                writeln!(
                    out,
                    "  none of these events has all of {of}, so they belong to no group"
                )?;
            }
        }
    }
    for peak in told.peaks.iter().take(GROUPS) {
        let group: Vec<String> =
            peak.group.iter().map(|(field, value)| format!("{field} = {value}")).collect();
        let group = if group.is_empty() { "all together".into() } else { group.join(", ") };
        writeln!(out, "\n  {}", Visible(&group))?;
        writeln!(out, "    reached {} from {} to {}", peak.value, peak.from, peak.to)?;
        let few = correlation.rules.len() <= GROUPS;
        let members = correlation.rules.iter().zip(&peak.members);
        for (reference, count) in members.filter(|(_, count)| few || **count > 0) {
            let colour = if *count > 0 { GOOD } else { BAD };
            writeln!(out, "    {colour}{count:>6}{colour:#} of {}", Visible(&reference.text))?;
        }
    }
    if told.peaks.len() > GROUPS {
        writeln!(
            out,
            "\n  {DIM}… and {} groups that came less far{DIM:#}",
            told.peaks.len() - GROUPS
        )?;
    }
    if let CorrelationCondition::Rules(_) = correlation.condition {
        let rest = &correlation.meta.source.text[correlation.condition_span.start..];
        writeln!(out, "\n  {DIM}{}{DIM:#}", Visible(rest.lines().next().unwrap_or_default()))?;
    }
    Ok(())
}
