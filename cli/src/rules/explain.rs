//! `ssm-audit rules explain`

use std::io::{self, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style};
use ingest::{Limits, ProblemKind};
use model::Visible;
use pipeline::cases::Happening;
use pipeline::explain::{self, Explained, Nearest};
use report::mask::Masker;
use rules::evaluate::{ItemTrace, SelectionTrace, Trace};
use rules::sigma::Meta;
use rules::{Rule, RuleSet};

use super::args::ExplainArgs;
use crate::diagnostics;
use crate::exit::{Failure, Outcome, tell};

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
    let set = RuleSet::compile(pack);
    let rule = if file.is_file() {
        let own = |rule: &Rule| opened.is_asked_for(&rule.source().name);
        set.rules()
            .iter()
            .position(own)
            .ok_or_else(|| Failure::usage(format!("no rule without errors in {}", args.rule)))?
    } else {
        find(&set, &args.rule)?
    };
    let explained = match &args.line {
        Some(line) => explain::happening(&set, rule, &Happening::of_line(line)),
        None => {
            let found = ingest::source::find(&args.events);
            if let Some(unreadable) = found.unreadable.first() {
                let (path, error) = (Visible(&unreadable.path), &unreadable.error);
                return Err(Failure::usage(format!("{path}: {error}")));
            }
            explain::files(&set, rule, found, &Limits::default())
        }
    };
    for problem in &explained.problems {
        if problem.kind == ProblemKind::Failed {
            let place = problem.place.to_string();
            tell(&format!("not read: {}: {}", Visible(&place), Visible(&problem.reason)));
        }
    }
    let masker = Masker { reveal: args.reveal };
    let mut out = anstream::stdout();
    show(&mut out, &set.rules()[rule], &explained, masker)?;
    Ok(if explained.fires > 0 { Outcome::Done } else { Outcome::Findings })
}

/// A rule by its id, name, title or the name of its file.
fn find(set: &RuleSet, wanted: &str) -> Result<usize, Failure> {
    let stem = |meta: &Meta| {
        let file = meta.source.name.rsplit('/').next().unwrap_or_default();
        file.rsplit_once('.').map_or(file, |(stem, _)| stem).to_owned()
    };
    let fits = |meta: &Meta| {
        meta.names().any(|name| name == wanted)
            || meta.info.title.eq_ignore_ascii_case(wanted)
            || stem(meta) == wanted
    };
    if let Some(at) = set.rules().iter().position(|rule| fits(&rule.meta)) {
        return Ok(at);
    }
    let correlation = set.correlations().iter().find(|linked| fits(&linked.correlation.meta));
    if let Some(linked) = correlation {
        let parts: Vec<&str> =
            linked.correlation.rules.iter().map(|rule| rule.text.as_str()).collect();
        return Err(Failure::usage(format!(
            "`{wanted}` is a correlation: it is about several events; explain one of its rules: {}",
            parts.join(", ")
        )));
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
    writeln!(out, "\n  {DIM}condition:{DIM:#} {}", Visible(condition.trim()))
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
