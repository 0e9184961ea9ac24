//! Python for tests: an environment of the project's own, with what `tests/requirements.txt` pins.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Its interpreter. The first test that asks makes it; the others wait.
pub(crate) fn python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let (place, wanted) = (root.join("target/test-venv"), root.join("tests/requirements.txt"));
    fs::create_dir_all(root.join("target")).unwrap();
    let lock = File::create(root.join("target/test-venv.lock")).unwrap();
    lock.lock().unwrap();
    let (done, wanted_text) = (place.join("done"), fs::read_to_string(&wanted).unwrap());
    if fs::read_to_string(&done).is_ok_and(|text| text == wanted_text) {
        return place.join("bin/python");
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place));
    run(Command::new(place.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "-r"])
        .arg(wanted));
    fs::write(done, wanted_text).unwrap();
    place.join("bin/python")
}

fn run(command: &mut Command) {
    let status = command.status().expect("Python 3 with venv is installed");
    assert!(status.success(), "{command:?}");
}
