//! Where rules come from.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use rules::known::{self, Known};
use rules::{Diagnostic, Pack, PackFile, Severity, Source};

/// The pack that ships, embedded when this was built: paths, texts, and what the parser made of the texts.
const EMBEDDED: &[(&str, &str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/pack.rs"));
/// What was made of their expressions.
const EXPRESSIONS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/expressions"));

/// Tells what is known of the embedded pack: whoever reads it, or others of the same text, need not parse them again. To be called
/// before rules are read that do not come from here.
pub fn know() {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        let known = EMBEDDED.iter().filter(|(.., nodes)| !nodes.is_empty());
        known::know(Known::new(known.map(|(_, text, nodes)| (*text, *nodes)), EXPRESSIONS));
    });
}

/// The files of the embedded pack.
pub fn embedded() -> Vec<PackFile> {
    know();
    EMBEDDED
        .iter()
        .map(|(path, text, _)| PackFile { path: (*path).to_owned(), text: (*text).to_owned() })
        .collect()
}

/// The YAML files below a directory, or one file. Paths are as the user will want to see them.
pub fn files(path: &Path) -> io::Result<Vec<PackFile>> {
    let (files, unreadable) = readable(path);
    match unreadable.into_iter().next() {
        None => Ok(files),
        Some((name, error)) => Err(io::Error::new(error.kind(), format!("{name}: {error}"))),
    }
}

/// The same, and what could not be read, with the reason.
fn readable(path: &Path) -> (Vec<PackFile>, Vec<(String, io::Error)>) {
    know();
    let (mut out, mut unreadable) = (Vec::new(), Vec::new());
    read(path, &mut out, &mut unreadable);
    out.sort_by(|a: &PackFile, b| a.path.cmp(&b.path));
    (out, unreadable)
}

/// Largest file of rules or of a list, in bytes.
const MAX_FILE: u64 = 4 << 20;

fn read(path: &Path, out: &mut Vec<PackFile>, unreadable: &mut Vec<(String, io::Error)>) {
    let name = path.to_string_lossy().replace('\\', "/");
    if path.is_dir() {
        match fs::read_dir(path) {
            Ok(entries) => {
                for entry in entries {
                    // A link to a directory may lead round in circles.
                    match entry
                        .and_then(|entry| Ok((entry.file_type()?.is_symlink(), entry.path())))
                    {
                        Ok((is_link, below)) if is_link && below.is_dir() => {}
                        Ok((_, below)) => read(&below, out, unreadable),
                        Err(error) => unreadable.push((name.clone(), error)),
                    }
                }
            }
            Err(error) => unreadable.push((name, error)),
        }
    } else if name.ends_with(".yml") || name.ends_with(".yaml") {
        match text(path) {
            Ok(text) => out.push(PackFile { path: name, text }),
            Err(error) => unreadable.push((name, error)),
        }
    }
}

fn text(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MAX_FILE {
        return Err(io::Error::other(format!("larger than {MAX_FILE} bytes")));
    }
    fs::read_to_string(path)
}

/// A pack's files, and which of them were asked for.
#[derive(Clone, Debug, Default)]
pub struct Opened {
    /// All files of the pack, its lists and calendars among them.
    pub files: Vec<PackFile>,
    /// The file or directory that was asked for, where that is a part of the pack.
    pub part: Option<String>,
    /// The pack's directory, or the one file; `None`: the embedded pack.
    pub root: Option<PathBuf>,
    /// Files that could not be read.
    pub unreadable: Vec<Diagnostic>,
}

impl Opened {
    /// Was the file of this name asked for?
    pub fn is_asked_for(&self, name: &str) -> bool {
        let Some(part) = &self.part else { return true };
        let rest = stem(name).strip_prefix(stem(part));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

impl Opened {
    /// Does it speak of what was asked for? Of a part's pack what is wrong with the lists that it names, with the calendars and
    /// with filters concerns it as well: without them it would do something else.
    pub fn concerns(&self, problem: &Diagnostic) -> bool {
        let name = problem.source.name.as_str();
        if self.is_asked_for(name) {
            return true;
        }
        if problem.severity != Severity::Error {
            return false;
        }
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        if folder == "lists" || folder.ends_with("/lists") {
            let list = format!("%{}%", file.rsplit_once('.').map_or(file, |(stem, _)| stem));
            let mut own = self.files.iter().filter(|file| self.is_asked_for(&file.path));
            return own.any(|file| file.text.contains(&list));
        }
        let is_filter = || problem.source.text.lines().any(|line| line.starts_with("filter:"));
        matches!(file, "calendars.yml" | "calendars.yaml") || is_filter()
    }
}

/// What a rule and its cases have in common: the path without its endings.
pub(crate) fn stem(path: &str) -> &str {
    let ends = |ending| path.strip_suffix(ending);
    [".test.yml", ".test.yaml", ".yml", ".yaml"].into_iter().find_map(ends).unwrap_or(path)
}

/// The pack that `path` is, or is a part of; without a path the embedded one, which has no cases.
pub fn open(path: Option<&Path>) -> io::Result<Opened> {
    let Some(path) = path else { return Ok(Opened { files: embedded(), ..Opened::default() }) };
    if !path.exists() {
        let message = format!("{}: there is no such file or directory", path.display());
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    let root = root_of(path);
    let (mut files, mut unreadable) = readable(&root);
    if root == path && path.is_file() {
        // On its own, but for its cases, or the rule that it is the cases of.
        let name = shown(path);
        let stem = stem(&name).to_owned();
        for ending in [".yml", ".yaml", ".test.yml", ".test.yaml"] {
            let other = format!("{stem}{ending}");
            if other != name && Path::new(&other).is_file() {
                read(Path::new(&other), &mut files, &mut unreadable);
            }
        }
    }
    let part = (root != path).then(|| shown(path));
    // A path that does not lie below its pack as it is written was found by its absolute name.
    let part = match part {
        Some(part) if !files.iter().any(|file| file.path.starts_with(&part)) => {
            Some(shown(&path.canonicalize()?))
        }
        part => part,
    };
    let unreadable = unreadable.into_iter().map(|(name, error)| {
        let source = Arc::new(Source { name, text: String::new() });
        Diagnostic::error(&source, 0..0, format!("cannot be read: {error}"))
    });
    Ok(Opened { files, part, root: Some(root), unreadable: unreadable.collect() })
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/").trim_end_matches('/').to_owned()
}

/// How far up a pack is looked for.
const MAX_UP: usize = 8;

/// The directory of the pack that `path` belongs to: the nearest with lists or calendars, else itself.
fn root_of(path: &Path) -> PathBuf {
    let is_root = |directory: &Path| {
        directory.join("lists").is_dir()
            || directory.join("calendars.yml").is_file()
            || directory.join("calendars.yaml").is_file()
    };
    let above = path.ancestors().take(MAX_UP).filter(|above| !above.as_os_str().is_empty());
    if let Some(root) = above.map(Path::to_owned).find(|above| is_root(above)) {
        return root;
    }
    let real = path.canonicalize().unwrap_or_default();
    let found = real.ancestors().take(MAX_UP).find(|above| is_root(above));
    found.map_or_else(|| path.to_owned(), Path::to_owned)
}

/// Reads a pack from a directory or a part of one, or the embedded one. Of a part's pack the lists, the calendars,
/// the filters and the members of correlations serve as well; only the part's own rules are told, and only what is
/// wrong with them and with what serves them.
pub fn load(path: Option<&Path>) -> io::Result<Pack> {
    let opened = open(path)?;
    let mut pack = Pack::read(opened.files.clone());
    pack.problems.extend(opened.unreadable.iter().cloned());
    if opened.part.is_some() {
        let names = opened.files.iter().map(|file| file.path.as_str());
        pack.asked = Some(names.filter(|name| opened.is_asked_for(name)).map(Into::into).collect());
        pack.problems.retain(|problem| opened.concerns(problem));
    }
    Ok(pack)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What ships is not checked again when it is read: so it is here.
    #[test]
    fn nothing_is_wrong_with_what_ships() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules.d");
        let read = files(&root).unwrap();
        for (path, text, nodes) in EMBEDDED {
            let there = read.iter().any(|file| file.path.ends_with(path) && file.text == *text);
            assert!(there && !nodes.is_empty(), "{path}");
            // Another text is none of those that are known.
            let text = format!("{text}\n# read anew\n");
            let pack = Pack::read([PackFile { path: (*path).to_owned(), text }]);
            let broken = |problem: &&Diagnostic| problem.message.contains("expression");
            assert!(pack.problems.iter().find(broken).is_none(), "{path}: {:?}", pack.problems);
        }
    }

    #[test]
    fn a_part_of_a_pack_finds_its_lists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules.d");
        let whole = load(Some(&root)).unwrap();
        let part = load(Some(&root.join("sessions"))).unwrap();
        let one = load(Some(&root.join("sessions/role-without-mfa.yml"))).unwrap();
        for pack in [&whole, &part, &one] {
            assert_eq!(pack.lists.len(), whole.lists.len());
            assert!(pack.problems.is_empty(), "{:?}", pack.problems);
        }
        let told = |pack: Pack| {
            let set = rules::RuleSet::compile(pack);
            (0..set.rules().len()).filter(|at| set.is_told(*at)).count()
        };
        let (whole, part, one) = (told(whole), told(part), told(one));
        assert!(whole > part && part > one, "{whole}, {part}, {one}");
        assert_eq!(one, 1);
    }
}
