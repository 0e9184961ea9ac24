//! The tests beside a rule: what it must fire on, and what it must leave alone.
//!
//! `<rule>.test.yml` holds a list `cases`. A case has a `name`, `fires: true | false`, and what happens: an `event` (a
//! CloudTrail record), a `command` (a line that a person ran), a `transcript` (what was observed in it), `events`
//! (several of these, each at its time: for correlations) or a `recording` (a file beside, read as a scan would).
//! `evidence` names fields that the match must quote.

mod case;
mod happening;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use model::{Evidence, Finding};
use rules::evaluate::{Trace, explain};
use rules::{Correlator, Diagnostic, Evaluator, PackFile, RuleSet, Source};

use self::case::{Case, What};
pub use self::happening::{Happening, Recorded, Seen};
use crate::scan;

/// What became of a case.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The file of cases.
    pub source: Arc<Source>,
    /// The case's bytes in it.
    pub span: std::ops::Range<usize>,
    /// The title of the rule that is tested; of the first, where the file has several.
    pub rule: String,
    /// The case's name.
    pub name: String,
    /// Must it fire?
    pub expected: bool,
    /// What is wrong, if anything is.
    pub failure: Option<String>,
    /// What the match rests on, if it fired.
    pub evidence: Vec<Evidence>,
}

/// How often a rule's selections were tried.
#[derive(Clone, Debug)]
pub struct Coverage {
    /// The rule's title.
    pub rule: String,
    /// Its file.
    pub file: String,
    /// By selection that the condition uses.
    pub selections: Vec<SelectionCoverage>,
}

/// How often a selection was tried.
#[derive(Clone, Debug)]
pub struct SelectionCoverage {
    /// Its name.
    pub name: String,
    /// Events on which it held.
    pub held: usize,
    /// Events on which it did not.
    pub failed: usize,
}

impl SelectionCoverage {
    /// Was it seen both ways?
    pub const fn is_covered(&self) -> bool {
        self.held > 0 && self.failed > 0
    }
}

/// What all cases came to.
#[derive(Debug, Default)]
pub struct Report {
    /// By case, in the order of the files.
    pub outcomes: Vec<Outcome>,
    /// By rule that has cases.
    pub coverage: Vec<Coverage>,
    /// What could not be read.
    pub problems: Vec<Diagnostic>,
}

/// The file of rules that a file of cases is for, if it is one.
pub fn tested_file(path: &str) -> Option<String> {
    let stem = path.strip_suffix(".test.yml").or_else(|| path.strip_suffix(".test.yaml"))?;
    Some(format!("{stem}.yml"))
}

/// The files of rules that have cases.
pub fn tested(files: &[PackFile]) -> std::collections::HashSet<String> {
    files
        .iter()
        .filter_map(|file| {
            let source = Arc::new(Source { name: file.path.clone(), text: file.text.clone() });
            let rules = tested_file(&file.path)?;
            (!case::read(&source, &mut Vec::new()).is_empty()).then_some(rules)
        })
        .flat_map(|rules| {
            let stem = crate::pack::stem(&rules).to_owned();
            [format!("{stem}.yml"), format!("{stem}.yaml")]
        })
        .collect()
}

/// What is wrong with the cases among `files`, without running them.
pub fn check(files: &[PackFile]) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for file in files.iter().filter(|file| tested_file(&file.path).is_some()) {
        let source = Arc::new(Source { name: file.path.clone(), text: file.text.clone() });
        case::read(&source, &mut problems);
    }
    problems
}

/// Runs the cases among `files` against a pack's rules.
pub fn run(set: &RuleSet, files: &[PackFile]) -> Report {
    let mut report = Report::default();
    for file in files {
        let Some(rules) = tested_file(&file.path) else { continue };
        let source = Arc::new(Source { name: file.path.clone(), text: file.text.clone() });
        let runner = Runner::new(set, &source, &rules);
        if runner.subjects.is_empty() {
            let message = format!("no rule in {rules} for these cases");
            let help = "cases stand beside their rule: x.test.yml tests x.yml; a rule with errors, or with `status: unsupported`, cannot be tested";
            report.problems.push(Diagnostic::error(&source, 0..1, message).with_help(help));
            continue;
        }
        runner.file(&mut report);
    }
    report
}

/// A rule or correlation that cases can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Rule(usize),
    Correlation(usize),
}

struct Runner<'a> {
    set: &'a RuleSet,
    source: &'a Arc<Source>,
    /// What is told of the file of rules.
    subjects: Vec<Subject>,
    /// All its correlations, parts of others among them.
    correlations: Vec<usize>,
    /// All its rules, and for each of their selections how often it held and did not.
    coverage: BTreeMap<usize, Vec<(usize, usize)>>,
}

/// What a case came to.
#[derive(Default)]
struct Tried {
    fired: bool,
    evidence: Vec<Evidence>,
    /// Why it did not, as far as a single event tells.
    why_not: Option<String>,
}

impl<'a> Runner<'a> {
    fn new(set: &'a RuleSet, source: &'a Arc<Source>, file: &str) -> Self {
        let own =
            |name: &str| name == file || name.strip_suffix(".yaml") == file.strip_suffix(".yml");
        let rules: Vec<usize> =
            (0..set.rules().len()).filter(|at| own(&set.rules()[*at].source().name)).collect();
        let correlations: Vec<usize> = (0..set.correlations().len())
            .filter(|at| own(&set.correlations()[*at].correlation.meta.source.name))
            .collect();
        let told = rules.iter().filter(|at| set.is_told(**at)).map(|at| Subject::Rule(*at));
        let subjects = correlations
            .iter()
            .filter(|at| set.is_correlation_told(**at))
            .map(|at| Subject::Correlation(*at))
            .chain(told)
            .collect();
        let coverage = rules
            .into_iter()
            .map(|at| (at, vec![(0, 0); set.rules()[at].selections.len()]))
            .collect();
        Self { set, source, subjects, correlations, coverage }
    }

    fn title(&self, subject: Subject) -> &'a str {
        match subject {
            Subject::Rule(at) => &self.set.rules()[at].info().title,
            Subject::Correlation(at) => &self.set.correlations()[at].correlation.meta.info.title,
        }
    }

    fn file(mut self, report: &mut Report) {
        for case in case::read(self.source, &mut report.problems) {
            let subjects = match &case.rule {
                None => self.subjects.clone(),
                Some(name) => self.named(name),
            };
            if subjects.is_empty() {
                let name = case.rule.unwrap_or_default();
                let message = format!("no rule `{name}` in the file that this tests");
                report.problems.push(Diagnostic::error(self.source, case.span, message));
                continue;
            }
            match self.case(&case, &subjects) {
                Ok(tried) => report.outcomes.push(self.outcome(case, &subjects, tried)),
                Err(message) => {
                    report.problems.push(Diagnostic::error(self.source, case.span, message));
                }
            }
        }
        for (at, counts) in self.coverage {
            let rule = &self.set.rules()[at];
            let mut used = Vec::new();
            rule.condition.searches(&mut used);
            let own = rule.selections.iter().zip(counts).enumerate();
            report.coverage.push(Coverage {
                rule: rule.info().title.clone(),
                file: rule.source().name.clone(),
                selections: own
                    .filter(|(at, _)| used.contains(at) && *at < rule.own_selections)
                    .map(|(_, (selection, (held, failed)))| SelectionCoverage {
                        name: selection.name.clone(),
                        held,
                        failed,
                    })
                    .collect(),
            });
        }
    }

    fn named(&self, name: &str) -> Vec<Subject> {
        let is = |meta: &rules::sigma::Meta| meta.names().any(|own| own == name);
        let own = self.coverage.keys().copied().filter(|at| is(&self.set.rules()[*at].meta));
        let correlations = self.correlations.iter().copied();
        let correlations =
            correlations.filter(|at| is(&self.set.correlations()[*at].correlation.meta));
        own.map(Subject::Rule).chain(correlations.map(Subject::Correlation)).collect()
    }

    fn outcome(&self, case: Case, subjects: &[Subject], tried: Tried) -> Outcome {
        let missing: Vec<String> = case
            .evidence
            .iter()
            .filter(|(field, value)| {
                !tried
                    .evidence
                    .iter()
                    .any(|own| own.field == *field && (value.is_none() || own.value == *value))
            })
            .map(|(field, value)| match value {
                Some(value) => format!("{field} = {value}"),
                None => field.clone(),
            })
            .collect();
        let quoted = || {
            let parts = tried.evidence.iter().map(|own| match &own.value {
                Some(value) => format!("{} = {value}", own.field),
                None => format!("{} (absent)", own.field),
            });
            parts.collect::<Vec<_>>().join(", ")
        };
        let failure = match (case.fires, tried.fired) {
            (true, false) => Some(match &tried.why_not {
                Some(why) => format!("does not fire: {why}"),
                None => "does not fire".to_owned(),
            }),
            (false, true) => Some(format!("fires, on {}", quoted())),
            (true, true) if !missing.is_empty() => {
                Some(format!("fires on {}, and not on {}", quoted(), missing.join(", ")))
            }
            _ => None,
        };
        Outcome {
            source: Arc::clone(self.source),
            span: case.span,
            rule: self.title(subjects[0]).to_owned(),
            name: case.name,
            expected: case.fires,
            failure,
            evidence: tried.evidence,
        }
    }

    fn case(&mut self, case: &Case, subjects: &[Subject]) -> Result<Tried, String> {
        match &case.what {
            What::Happenings(happenings) => self.happenings(happenings, subjects),
            What::Recording(file) => self.recording(file, subjects),
        }
    }

    fn happenings(
        &mut self,
        happenings: &[Happening],
        subjects: &[Subject],
    ) -> Result<Tried, String> {
        let mut tried = Tried::default();
        let mut evaluator = Evaluator::new(self.set).with_evidence_of_parts();
        let mut correlator = Correlator::new(self.set);
        let mut trouble = None;
        let mut at = 0_u128;
        for happening in happenings {
            happening.see(self.set, &mut |seen: Seen<'_>| {
                // Each program of a line is an event of its own.
                at += 1;
                let result = evaluator.evaluate(seen.kind, seen.pivot, seen.event, |found| {
                    correlator.add(found.index, seen.time, at, found.captures.clone(), ());
                    if subjects.contains(&Subject::Rule(found.index)) {
                        tried.fired = true;
                        tried.evidence.extend(found.evidence);
                    }
                });
                if let Err(error) = result {
                    trouble = Some(error.to_string());
                }
                for (rule, counts) in &mut self.coverage {
                    let Ok(Some(told)) = explain(self.set, *rule, seen.kind, seen.event) else {
                        continue;
                    };
                    for (selection, (held, failed)) in told.selections.iter().zip(counts) {
                        *(if selection.holds { held } else { failed }) += 1;
                    }
                    if subjects.contains(&Subject::Rule(*rule)) && !told.fires {
                        let decisive = told.selections.iter().find(|selection| selection.decides);
                        tried.why_not = decisive.map(why).or(tried.why_not.take());
                    }
                }
            });
        }
        if let Some(trouble) = trouble {
            return Err(trouble);
        }
        for fire in correlator.finish(|_| ()).fires {
            if subjects.contains(&Subject::Correlation(fire.index)) {
                tried.fired = true;
                let group = fire.group.iter().map(|(field, value)| evidence(field, value));
                tried.evidence.extend(group);
                let kind = fire.correlation.correlation.kind.as_str();
                tried.evidence.push(evidence(kind, &fire.count.to_string()));
            }
        }
        Ok(tried)
    }

    /// A file beside the cases, read as a scan reads it.
    fn recording(&self, file: &str, subjects: &[Subject]) -> Result<Tried, String> {
        let path = Path::new(&self.source.name).with_file_name(file);
        if !path.is_file() {
            return Err(format!("there is no file {}", path.display()));
        }
        // A scan tells what is told.
        let part = subjects.iter().find(|subject| match subject {
            Subject::Rule(at) => !self.set.is_told(*at),
            Subject::Correlation(at) => !self.set.is_correlation_told(*at),
        });
        if let Some(part) = part {
            let title = self.title(*part);
            return Err(format!(
                "`{title}` is not told on its own, and a recording does not show it; give `events`, or ask for the correlation"
            ));
        }
        let ids = subjects.iter().map(|subject| match subject {
            Subject::Rule(at) => self.set.rules()[*at].info().id.clone(),
            Subject::Correlation(at) => {
                self.set.correlations()[*at].correlation.meta.info.id.clone()
            }
        });
        let mut watch = Watch { ids: ids.collect(), tried: Tried::default(), problem: None };
        let found = ingest::source::find(&[path]);
        scan::scan(found, self.set, &scan::Options::default(), &mut watch)
            .map_err(|error| error.to_string())?;
        watch.problem.map_or(Ok(watch.tried), Err)
    }
}

fn evidence(field: &str, value: &str) -> Evidence {
    Evidence {
        field: field.to_owned(),
        value: Some(value.to_owned()),
        selection: "correlation".to_owned(),
    }
}

/// Why a selection did not hold, or did, in a line.
fn why(selection: &rules::evaluate::SelectionTrace) -> String {
    fn first(trace: &Trace, wanted: bool) -> Option<&rules::evaluate::ItemTrace> {
        match trace {
            Trace::All(items) | Trace::Any(items) => items
                .iter()
                .filter(|item| item.holds() == wanted)
                .find_map(|item| first(item, wanted)),
            Trace::Not(inner) => first(inner, !wanted),
            Trace::Item(item) => (item.holds == wanted).then_some(item),
        }
    }
    let held = if selection.holds { "holds" } else { "does not hold" };
    let line = format!("`{}` {held}", selection.name);
    if let Some(item) = first(&selection.trace, selection.holds) {
        let field = item.field.as_deref().unwrap_or("any value");
        let value = match item.values.first() {
            Some(value) => format!("it is `{value}`"),
            None if item.is_present => "it is null".to_owned(),
            None if item.field.is_none() => "none does".to_owned(),
            None => "it is not there".to_owned(),
        };
        return format!("{line}: asked is that {field} {}; {value}", item.test);
    }
    line
}

struct Watch {
    ids: Vec<String>,
    tried: Tried,
    problem: Option<String>,
}

impl scan::Observer for Watch {
    fn finding(&mut self, finding: &Finding) -> io::Result<()> {
        if self.ids.contains(&finding.rule.id) {
            self.tried.fired = true;
            self.tried.evidence.extend(finding.evidence.iter().cloned());
        }
        Ok(())
    }

    fn problem(&mut self, problem: &ingest::Problem) {
        if problem.kind == ingest::ProblemKind::Failed {
            self.problem = Some(format!("{}: {}", problem.place, problem.reason));
        }
    }

    fn artifact(&mut self, _: u64) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pack's own cases, every one of them.
    #[test]
    fn the_pack_passes_its_own_cases() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules.d");
        let files = crate::pack::files(&root).unwrap_or_default();
        let pack = rules::Pack::read(files.clone());
        let problems: Vec<String> = pack.problems.iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "{problems:#?}");
        let count = pack.rules.len();
        let set = RuleSet::compile(pack);
        let idle: Vec<&str> =
            set.idle(&crate::sweep::EVALUATED).map(|rule| rule.info().title.as_str()).collect();
        assert!(idle.is_empty(), "no event has these rules' log sources: {idle:?}");
        let Report { outcomes, problems, .. } = run(&set, &files);
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(problems.is_empty(), "{problems:#?}");
        let failures: Vec<String> = outcomes
            .iter()
            .filter_map(|o| Some(format!("{}: {}: {}", o.source.name, o.name, o.failure.as_ref()?)))
            .collect();
        assert!(failures.is_empty(), "{failures:#?}");
        for rule in set.rules() {
            let own = rule.source().name.replace(".yml", ".test.yml");
            for expected in [true, false] {
                let cases =
                    outcomes.iter().filter(|o| o.source.name == own && o.expected == expected);
                assert!(cases.count() > 0, "{own} has no case with `fires: {expected}`");
            }
        }
        assert!(
            count >= 20 && outcomes.len() >= count * 4,
            "{count} rules, {} cases",
            outcomes.len()
        );
    }
}
