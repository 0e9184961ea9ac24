//! Recordings with the screens they must end in: how many come out right?
//!
//! `cargo run --release -p ssm-audit-benches --bin screens -- DIR [NAME]`
//!
//! Two layouts: `NAME/alacritty.recording`, `size.json`, `grid.txt`; and `NAME/N.typescript` with `N.json`
//! after each step. With a NAME, shows the first difference.

use std::io::{self, Write as _};
use std::path::Path;
use std::{env, fs};

use ingest::terminal::{Emulator, Size};
use serde_json::Value;

fn lines(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines
}

fn shown(emulator: &Emulator) -> Vec<String> {
    lines(&emulator.screen().visible().join("\n"))
}

/// The first difference between two screens.
fn difference(expected: &[String], found: &[String]) -> Option<String> {
    let rows = expected.len().max(found.len());
    (0..rows).find_map(|row| {
        let (a, b) = (expected.get(row), found.get(row));
        (a != b).then(|| format!("row {row}: expected {a:?}, found {b:?}"))
    })
}

fn alacritty(dir: &Path) -> io::Result<Vec<Option<String>>> {
    let (Ok(bytes), Ok(grid)) =
        (fs::read(dir.join("alacritty.recording")), fs::read_to_string(dir.join("grid.txt")))
    else {
        return Ok(Vec::new());
    };
    let size: Value = serde_json::from_slice(&fs::read(dir.join("size.json"))?)?;
    let number = |key: &str| usize::try_from(size[key].as_u64().unwrap_or(0)).unwrap_or(0);
    let size = Size { columns: number("columns"), rows: number("screen_lines") };
    let mut emulator = Emulator::new(Some(size));
    emulator.write(&bytes);
    Ok(vec![difference(&lines(&grid), &shown(&emulator))])
}

fn vt100(dir: &Path) -> io::Result<Vec<Option<String>>> {
    let mut emulator = Emulator::new(Some(Size { columns: 80, rows: 24 }));
    let mut out = Vec::new();
    for step in 1.. {
        let (Ok(bytes), Ok(json)) = (
            fs::read(dir.join(format!("{step}.typescript"))),
            fs::read(dir.join(format!("{step}.json"))),
        ) else {
            break;
        };
        emulator.write(&bytes);
        let expected: Value = serde_json::from_slice(&json)?;
        let contents = expected["contents"].as_str().unwrap_or_default();
        // Wrapped rows are one line there.
        let screen = emulator.screen();
        let mut text = String::new();
        for row in screen.first_row()..screen.end_row() {
            text.push_str(&screen.row_text(row).unwrap_or_default());
            if !screen.is_wrapped(row) {
                text.push('\n');
            }
        }
        out.push(difference(&lines(contents), &lines(&text)));
    }
    Ok(out)
}

fn main() -> io::Result<()> {
    let mut args = env::args().skip(1);
    let dir = args.next().ok_or_else(|| io::Error::other("usage: screens DIR [NAME]"))?;
    let only = args.next();
    let mut out = io::stdout().lock();
    let (mut right, mut total) = (0, 0);
    let mut names: Vec<_> = fs::read_dir(&dir)?.filter_map(Result::ok).map(|e| e.path()).collect();
    names.sort();
    for path in names.iter().filter(|path| path.is_dir()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let mut results = alacritty(path)?;
        results.extend(vt100(path)?);
        for (step, result) in results.iter().enumerate() {
            total += 1;
            match result {
                None => right += 1,
                Some(difference) => writeln!(out, "{name} ({}): {difference}", step + 1)?,
            }
        }
    }
    writeln!(out, "{right} of {total} screens match")
}
