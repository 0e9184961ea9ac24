//! An AWS account for tests: a stand-in server, for as long as it lives, and what arrives in it.

#[path = "../python/mod.rs"]
pub(crate) mod python;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

pub(crate) fn month() -> String {
    root().join("examples/month").to_str().unwrap().to_owned()
}

/// A stand-in for AWS, for as long as it lives.
pub(crate) struct Account {
    server: Child,
    pub(crate) endpoint: String,
    _state: TempDir,
    pub(crate) python: PathBuf,
}

impl Drop for Account {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Account {
    pub(crate) fn start() -> Self {
        let python = python::python();
        let state = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Command::new(python.with_file_name("ministack"))
            .envs([("BIND_HOST", "127.0.0.1"), ("PYTHONUNBUFFERED", "1")])
            .env("GATEWAY_PORT", port.to_string())
            .env("STATE_DIR", state.path())
            .env("S3_DATA_DIR", state.path().join("s3"))
            .env("CLOUDTRAIL_RECORDING", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let account =
            Self { server, endpoint: format!("http://127.0.0.1:{port}"), _state: state, python };
        for _ in 0..600 {
            if is_up(port) {
                return account;
            }
            sleep(Duration::from_millis(50));
        }
        panic!("the stand-in does not start");
    }

    pub(crate) fn environment(&self) -> BTreeMap<&'static str, String> {
        [
            ("AWS_ENDPOINT_URL", self.endpoint.as_str()),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_REGION", "us-east-1"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_CONFIG_FILE", "/dev/null"),
            ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
        ]
        .map(|(name, value)| (name, value.to_owned()))
        .into()
    }

    /// Does something in the account.
    pub(crate) fn does(&self, args: &[&str]) -> String {
        let script = root().join("tests/python/account.py");
        let output = Command::new(&self.python)
            .arg(script)
            .args(args)
            .envs(self.environment())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A topic and a queue that hears it.
    pub(crate) fn topic(&self, name: &str, queue: &str, policy: &[&str]) -> (String, String) {
        let made: Value =
            serde_json::from_str(&self.does(&[&["topic", name, queue], policy].concat())).unwrap();
        let text = |key: &str| made[key].as_str().unwrap().to_owned();
        (text("topic"), text("queue"))
    }

    /// What has arrived in a queue.
    pub(crate) fn received(&self, queue: &str) -> Vec<Value> {
        let out = self.does(&["receive", queue]);
        out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn is_up(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let asked = stream.write_all(b"GET /_ministack/health HTTP/1.0\r\n\r\n");
    let mut answer = String::new();
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.contains(" 200")
}
