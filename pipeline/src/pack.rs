//! Where rules come from.

use std::fs;
use std::io;
use std::path::Path;

use rules::{Pack, PackFile};

/// The pack that ships, embedded when this was built.
const EMBEDDED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/pack.rs"));

/// The files of the embedded pack.
pub fn embedded() -> Vec<PackFile> {
    EMBEDDED
        .iter()
        .map(|(path, text)| PackFile { path: (*path).to_owned(), text: (*text).to_owned() })
        .collect()
}

/// The YAML files below a directory, or one file. Paths are as the user will want to see them.
pub fn files(path: &Path) -> io::Result<Vec<PackFile>> {
    let mut out = Vec::new();
    read(path, &mut out)?;
    out.sort_by(|a: &PackFile, b| a.path.cmp(&b.path));
    Ok(out)
}

/// Largest file of rules or of a list, in bytes.
const MAX_FILE: u64 = 4 << 20;

fn read(path: &Path, out: &mut Vec<PackFile>) -> io::Result<()> {
    let name = path.to_string_lossy().replace('\\', "/");
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{name}: {error}"));
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(named)? {
            let entry = entry.map_err(named)?;
            // A link to a directory may lead round in circles.
            let is_link = entry.file_type().map_err(named)?.is_symlink();
            if !(is_link && entry.path().is_dir()) {
                read(&entry.path(), out)?;
            }
        }
    } else if name.ends_with(".yml") || name.ends_with(".yaml") {
        if fs::metadata(path).map_err(named)?.len() > MAX_FILE {
            return Err(named(io::Error::other(format!("larger than {MAX_FILE} bytes"))));
        }
        let text = fs::read_to_string(path).map_err(named)?;
        out.push(PackFile { path: name.clone(), text });
    }
    Ok(())
}

/// Reads a pack from a directory, or the embedded one.
pub fn load(path: Option<&Path>) -> io::Result<Pack> {
    Ok(Pack::read(match path {
        Some(path) => files(path)?,
        None => embedded(),
    }))
}
