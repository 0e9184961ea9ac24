//! Embeds the rules that ship: every file below `rules.d/` but the tests, as text and as nodes; and what can be made of their
//! expressions beforehand.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use rules::{Pack, PackFile};

fn main() -> io::Result<()> {
    // At run time: a checkout may have been moved since this script was built.
    let manifest = told("CARGO_MANIFEST_DIR")?;
    let root = Path::new(&manifest).join("../rules.d").canonicalize()?;
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    files.sort();
    let out = told("OUT_DIR")?;
    let mut code = String::from("&[\n");
    let mut pack = Vec::new();
    for (nth, file) in files.iter().enumerate() {
        let below = file.strip_prefix(&root).map_err(io::Error::other)?;
        let path = below.to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(file)?;
        // What cannot be parsed is told when it is read: the tests hold that there is none.
        let nodes = yaml::documents(&text).map(|nodes| yaml::pack(&nodes)).unwrap_or_default();
        let place = Path::new(&out).join(format!("{nth}.nodes"));
        fs::write(&place, nodes)?;
        writeln!(
            code,
            "    ({path:?}, include_str!({:?}), include_bytes!({:?})),",
            file.display().to_string(),
            place.display().to_string()
        )
        .map_err(io::Error::other)?;
        pack.push(PackFile { path, text });
    }
    let expressions = rules::known::expressions(&Pack::read(pack));
    fs::write(Path::new(&out).join("expressions"), expressions)?;
    code.push_str("]\n");
    fs::write(Path::new(&out).join("pack.rs"), code)
}

#[expect(clippy::disallowed_methods, reason = "cargo speaks to a build script in this way")]
fn told(name: &str) -> io::Result<OsString> {
    env::var_os(name).ok_or_else(|| io::Error::other(format!("{name} is not set")))
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            // A directory's own time changes when a rule is added to it.
            println!("cargo::rerun-if-changed={}", path.display());
            collect(&path, files)?;
        } else if name.ends_with(".yml") && !name.ends_with(".test.yml") {
            files.push(path);
        }
    }
    Ok(())
}
