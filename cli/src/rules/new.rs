//! `ssm-audit rules new`

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use pipeline::template::{self, Blanks, Kind};

use super::args::{NewArgs, NewKind};
use crate::exit::{Failure, Outcome};

pub(crate) fn run(args: &NewArgs) -> Result<Outcome, Failure> {
    let file = match args.file.extension() {
        None => args.file.with_extension("yml"),
        Some(extension) if extension == "yml" => args.file.clone(),
        Some(_) => {
            return Err(Failure::usage(format!("{}: a rule ends with .yml", args.file.display())));
        }
    };
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let parent = file.parent().and_then(Path::file_name).unwrap_or_default();
    if stem == "calendars" || parent == "lists" {
        let message = format!("{}: what has this name is no rule", file.display());
        return Err(Failure::usage(message));
    }
    if args.title.as_ref().is_some_and(|title| title.trim().is_empty()) {
        return Err(Failure::usage(
            "a rule needs a title; leave --title out to make it of the file's name",
        ));
    }
    if stem.is_empty() || stem.ends_with(".test") {
        return Err(Failure::usage(format!("{}: name the rule, not its cases", file.display())));
    }
    let title = args.title.clone().unwrap_or_else(|| {
        let words = stem.replace(['-', '_'], " ");
        let mut letters = words.chars();
        letters
            .next()
            .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    });
    let kind = match args.kind {
        NewKind::Cloudtrail => Kind::CloudTrail,
        NewKind::Command => Kind::Command,
        NewKind::Process => Kind::Process,
        NewKind::Transcript => Kind::Transcript,
        NewKind::Correlation => Kind::Correlation,
        NewKind::Filter => Kind::Filter,
    };
    let ids = [uuid::Uuid::new_v4().to_string(), uuid::Uuid::new_v4().to_string()];
    #[expect(clippy::disallowed_methods, reason = "the shells read the clock")]
    let today = jiff::Zoned::now().date().to_string();
    let blanks =
        Blanks { title: &title, ids: [&ids[0], &ids[1]], owner: &args.owner, today: &today };
    let (rule, cases) = template::render(kind, &blanks);
    if let Some(parent) = file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(|error| named(parent, &error))?;
    }
    let mut made = vec![(file.clone(), rule)];
    made.extend(cases.map(|cases| (file.with_file_name(format!("{stem}.test.yml")), cases)));
    // All or nothing: a rule must not be left without its cases.
    if let Some((taken, _)) = made.iter().find(|(path, _)| path.exists()) {
        return Err(Failure::usage(format!("{} is there already", taken.display())));
    }
    let mut out = anstream::stdout();
    for (path, text) in &made {
        write_new(path, text).map_err(|error| named(path, &error))?;
        writeln!(out, "made {}", path.display())?;
    }
    writeln!(out, "\nnext:")?;
    writeln!(out, "  ssm-audit rules check {}", shown(&file))?;
    if made.len() > 1 {
        writeln!(out, "  ssm-audit rules test {} --watch", shown(&file))?;
    }
    // A filter alone finds nothing: its rules are tried with it.
    let tried = match kind {
        Kind::Filter => file.parent().and_then(Path::parent).unwrap_or(Path::new(".")),
        _ => file.as_path(),
    };
    let tried = if tried.as_os_str().is_empty() { Path::new(".") } else { tried };
    writeln!(out, "  ssm-audit backtest --rules {} LOGS…", shown(tried))?;
    Ok(Outcome::Done)
}

/// A path as a shell takes it.
fn shown(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+,:@%=~".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn write_new(path: &PathBuf, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

fn named(path: &Path, error: &io::Error) -> Failure {
    Failure::usage(format!("{}: {error}", path.display()))
}
