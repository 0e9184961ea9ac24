//! `ssm-audit rules docs`

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use pipeline::catalogue;

use super::args::DocsArgs;
use crate::exit::{Failure, Outcome};

pub(crate) fn run(args: &DocsArgs) -> Result<Outcome, Failure> {
    let (opened, pack) = super::open(Some(&args.path))?;
    let errors = pack.problems.iter().any(|p| p.severity == rules::Severity::Error);
    if errors {
        crate::diagnostics::show(&pack.problems);
        return Err(Failure::usage("the catalogue is of rules without errors"));
    }
    let pages = catalogue::pages(&pack, &opened.files, &args.path.to_string_lossy());
    let named =
        |path: &Path, error: std::io::Error| Failure::usage(format!("{}: {error}", path.display()));
    let mut wanted: BTreeSet<PathBuf> = BTreeSet::new();
    let mut changed: Vec<PathBuf> = Vec::new();
    for (name, text) in &pages {
        let path = args.out.join(name);
        if fs::read_to_string(&path).ok().as_ref() != Some(text) {
            changed.push(path.clone());
            if !args.check {
                let parent = path.parent().unwrap_or(&args.out);
                fs::create_dir_all(parent).map_err(|error| named(parent, error))?;
                fs::write(&path, text).map_err(|error| named(&path, error))?;
            }
        }
        wanted.insert(path);
    }
    // Pages of rules that are gone: only those that were generated here.
    for path in markdown(&args.out) {
        let is_ours =
            || fs::read_to_string(&path).is_ok_and(|text| text.contains(catalogue::GENERATED));
        if !wanted.contains(&path) && is_ours() {
            if !args.check {
                fs::remove_file(&path).map_err(|error| named(&path, error))?;
            }
            changed.push(path);
        }
    }
    let mut out = anstream::stdout();
    for path in &changed {
        writeln!(out, "{} {}", if args.check { "out of date:" } else { "wrote" }, path.display())?;
    }
    writeln!(out, "{} pages, {} changed", pages.len(), changed.len())?;
    Ok(if args.check && !changed.is_empty() { Outcome::Findings } else { Outcome::Done })
}

fn markdown(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(markdown(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}
