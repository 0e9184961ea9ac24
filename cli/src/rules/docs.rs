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
    if opened.part.is_some() || args.path.is_file() {
        // Pages of other rules would be taken for those of rules that are gone.
        let root = opened.root.unwrap_or_default();
        let message = "the catalogue is of a whole pack, and its index of all pages";
        let (path, root) = (args.path.display(), root.display());
        return Err(Failure::usage(format!("{path}: {message}; this is of {root}")));
    }
    let errors = pack.problems.iter().any(|p| p.severity == rules::Severity::Error);
    if errors {
        crate::diagnostics::show(&pack.problems);
        return Err(Failure::usage("the catalogue is of rules without errors"));
    }
    let root = args.path.to_string_lossy();
    let pages = catalogue::pages(&pack, &opened.files, &root, &between(&args.out, &args.path)?);
    let named =
        |path: &Path, error: std::io::Error| Failure::usage(format!("{}: {error}", path.display()));
    let mut wanted: BTreeSet<PathBuf> = BTreeSet::new();
    let mut changed: Vec<(&str, PathBuf)> = Vec::new();
    for (name, text) in &pages {
        let path = args.out.join(name);
        if fs::read_to_string(&path).ok().as_ref() != Some(text) {
            changed.push(("wrote", path.clone()));
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
            changed.push(("removed", path));
        }
    }
    let mut out = anstream::stdout();
    for (what, path) in &changed {
        writeln!(out, "{} {}", if args.check { "out of date:" } else { what }, path.display())?;
    }
    writeln!(out, "{} pages, {} changed", pages.len(), changed.len())?;
    Ok(if args.check && !changed.is_empty() { Outcome::Findings } else { Outcome::Done })
}

/// The way from one directory to another, such as `../../rules.d`.
fn between(from: &Path, to: &Path) -> Result<String, Failure> {
    let absolute = |path: &Path| {
        let path = std::path::absolute(path);
        path.map_err(|error| Failure::usage(error.to_string()))
    };
    let (from, to) = (absolute(from)?, absolute(to)?);
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = from[common..].iter().map(|_| "..".to_owned());
    let down = to[common..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    Ok(up.chain(down).collect::<Vec<_>>().join("/"))
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
