//! Recordings of real shells, through the built binary: what was run, in every form the agent makes of them.
//!
//! `tests/sessions/generate.py` made the recordings; the truth is the history that bash itself wrote.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/sessions/recorded").canonicalize().unwrap()
}

fn run(args: &[&str], file: &Path) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ssm-audit"))
        .args(args)
        .arg(file)
        .env_remove("SSM_AUDIT_RULES")
        .output()
        .expect("the binary runs");
    let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

fn commands(file: &Path) -> Vec<Value> {
    let (code, stdout, stderr) = run(&["commands", "--format", "json"], file);
    assert_eq!((code, stderr.as_str()), (0, ""), "{}", file.display());
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn executed(commands: &[Value]) -> Vec<String> {
    let executed = commands.iter().filter(|command| command["status"] == "executed");
    executed.map(|command| command["text"].as_str().unwrap().to_owned()).collect()
}

/// The words of commands. bash's history joins the lines of some constructs with `;`, and has others line by line.
fn words(commands: &[String]) -> Vec<String> {
    let text = commands.join(" ").replace("\\\n", "").replace(';', " ");
    text.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn what_was_run_is_what_the_shell_says() {
    let mut sessions: Vec<PathBuf> =
        fs::read_dir(recorded()).unwrap().map(|entry| entry.unwrap().path()).collect();
    sessions.sort();
    assert!(sessions.len() >= 20, "the recordings are there");
    for session in sessions {
        let truth: Value =
            serde_json::from_slice(&fs::read(session.join("truth.json")).unwrap()).unwrap();
        let list = truth.get("history").or_else(|| truth.get("declared")).unwrap();
        let truth: Vec<String> = serde_json::from_value(list.clone()).unwrap();
        let found = commands(&session.join("raw.log"));
        assert_eq!(words(&executed(&found)), words(&truth), "{}", session.display());
        let secret = found.iter().any(|c| c.to_string().contains("hunter2"));
        assert!(!secret, "what was typed without echo is nowhere");
    }
}

#[test]
fn what_is_no_command_of_the_shell_is_marked() {
    let of = |name: &str, status: &str| -> Vec<String> {
        let found = commands(&recorded().join(name).join("raw.log"));
        let marked = found.iter().filter(|command| command["status"] == status);
        marked.map(|command| command["text"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of("python", "repl"), ["a = 1", "a + 1", "exit()"]);
    assert_eq!(of("sqlite", "repl"), ["create table t(a);", ".quit"]);
    assert_eq!(of("vim", "repl"), ["!true", "wq"]);
    assert_eq!(of("given-up", "aborted"), ["rm -rf /nowhere", "for i in 1; do\necho never"]);
    assert_eq!(of("given-up-unmarked", "aborted"), ["rm -rf /nowhere"]);
}

/// A folder of its own, gone with the value.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, path: &str, bytes: &[u8]) -> PathBuf {
        let file = self.0.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, bytes).unwrap();
        file
    }
}

const ID: &str = "alice@example.com-08f49b7ab51000c16";

#[test]
fn every_form_gives_the_same_commands() {
    let folder = Folder::new();
    let raw = fs::read(recorded().join("several-lines/raw.log")).unwrap();
    let truth = executed(&commands(&recorded().join("several-lines/raw.log")));
    assert_eq!(truth.len(), 7);
    let doubled = String::from_utf8(raw.clone()).unwrap().replace('\n', "\r\n").into_bytes();
    let object = |header: &str, footer: &str| {
        [header.as_bytes(), b"\n", &doubled, b"\n", footer.as_bytes(), b"\n"].concat()
    };
    let upload = |header: &str| {
        let text = String::from_utf8(raw.clone()).unwrap();
        let message = format!("{header}\n{text}\nScript done on 2026-10-05 09:41:12+0000");
        let event =
            json!({"timestamp": 1_791_193_272_000_u64, "logStream": ID, "message": message});
        format!("{event}\n").into_bytes()
    };
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let modern = object(
        "Script started on 2026-10-05 09:41:12+00:00 [COMMAND=\"cat /var/lib/amazon/ssm/i-00cbf6ce81675216c/session/\
         orchestration/alice@example.com-08f49b7ab51000c16/Standard_Stream/ipcTempFile.log\" <not executed on terminal>]",
        "Script done on 2026-10-05 09:41:12+00:00 [COMMAND_EXIT_CODE=\"0\"]",
    );
    let plain = object(
        "Script started on 2026-10-05 09:41:12+00:00 [<not executed on terminal>]",
        "Script done on 2026-10-05 09:41:12+00:00 [COMMAND_EXIT_CODE=\"0\"]",
    );
    let key = format!("sessions/{ID}.log");
    let node =
        format!("i-00cbf6ce81675216c/session/orchestration/{ID}/Standard_Stream/ipcTempFile.log");
    let ecs = "ecs/ecs-execute-command-h58qgzkd8fpy9j6gkxa7rrkkii.log";
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        ("s3", &key, modern.clone()),
        ("s3", "renamed.txt", modern.clone()),
        ("s3", "sessions/x.log.gz", gzip(&modern)),
        (
            "s3",
            "old.log",
            object(
                "Script started on 2022-01-25 06:49:24+0000",
                "Script done on 2022-01-25 06:49:24+0000",
            ),
        ),
        (
            "s3",
            "bsd.log",
            object(
                "Script started on Thu Jul  7 19:22:34 2016",
                "Script done on Thu Jul  7 19:22:34 2016",
            ),
        ),
        (
            "s3",
            "localised.log",
            object(
                "Skript gestartet am 2026-10-05 09:41:12+00:00 [<nicht auf einem Terminal>]",
                "Skript beendet am 2026-10-05 09:41:12+00:00 [COMMAND_EXIT_CODE=\"0\"]",
            ),
        ),
        ("s3", ecs, plain.clone()),
        ("raw", &node, raw.clone()),
        ("raw", "raw.log", raw.clone()),
        ("cloudwatch-upload", "upload.jsonl", upload("Script started on 2026-10-05 09:41:12+0000")),
    ];
    for (form, name, bytes) in cases {
        let found = commands(&folder.file(name, &bytes));
        assert_eq!(executed(&found), truth, "{name}");
        assert!(found.iter().all(|command| command["form"] == form), "{name}");
        assert!(
            found.iter().all(|c| c["time"].is_null()),
            "the header's time is the session's end: {name}"
        );
    }
    let found = commands(&folder.file(ecs, &plain));
    assert_eq!(found[0]["session_id"], "ecs-execute-command-h58qgzkd8fpy9j6gkxa7rrkkii");
}

#[test]
fn a_footer_that_was_printed_does_not_end_the_recording() {
    let folder = Folder::new();
    let bytes = "Script started on 2026-10-05 09:41:12+00:00 [<not executed on terminal>]\n\
        $ id\r\r\nuid=0\r\r\n\nScript done on 2026-10-05 09:41:12+00:00 [COMMAND_EXIT_CODE=\"0\"]\r\r\n\
        $ rm -rf /srv\r\r\n$ exit\r\r\n\nScript done on 2026-10-05 09:50:00+00:00 [COMMAND_EXIT_CODE=\"0\"]\n";
    let found = commands(&folder.file("x.log", bytes.as_bytes()));
    assert_eq!(executed(&found), ["id", "rm -rf /srv", "exit"]);
}

#[test]
fn powershell_is_read_in_both_encodings() {
    const TEXT: &str = "**********************\r\nWindows PowerShell transcript start\r\nStart time: 20261005094112\r\n\
        Username: WEB1\\ssm-user\r\nRunAs User: WEB1\\ssm-user\r\nMachine: WEB1 (Microsoft Windows NT 10.0.20348.0)\r\n\
        **********************\r\n\
        PS C:\\Windows\\system32> &'C:\\Program Files\\Amazon\\SSM\\ssm-session-logger.exe' C:\\x\\ipcTempFile.log true\r\n\
        PS C:\\Windows\\system32> whoami /all\r\nweb1\\ssm-user\r\n\
        PS C:\\Windows\\system32> net user eve Pa55word /add\r\nThe command completed successfully.\r\n\
        PS C:\\Users\\eve> Get-ChildItem |\r\n>> Select-Object Name\r\nGr\u{f6}\u{df}e\r\nPS C:\\Users\\eve> exit\r\n\
        PS C:\\Windows\\system32> exit\r\n\
        **********************\r\nWindows PowerShell transcript end\r\nEnd time: 20261005094412\r\n**********************\r\n";
    let folder = Folder::new();
    let mut utf16 = vec![0xff, 0xfe];
    utf16.extend(TEXT.encode_utf16().flat_map(u16::to_le_bytes));
    let utf8 = [b"\xef\xbb\xbf", TEXT.as_bytes()].concat();
    for (name, bytes) in [("a.log", utf8), ("b.log", utf16.clone())] {
        let found = commands(&folder.file(name, &bytes));
        let texts = executed(&found);
        assert_eq!(texts.len(), 4, "{texts:?}");
        assert_eq!(texts[0], "whoami /all");
        assert!(texts[1].starts_with("net user eve [secret:"), "{}", texts[1]);
        assert_eq!(texts[2], "Get-ChildItem |\nSelect-Object Name");
        assert_eq!(found[2]["cwd"], "C:\\Users\\eve");
        assert_eq!(found[0]["form"], "powershell");
        // Its bytes are where it says.
        if name == "b.log" {
            let span = |key: &str| usize::try_from(found[0][key].as_u64().unwrap()).unwrap();
            let units: Vec<u16> = utf16[span("byte_start")..span("byte_end")]
                .chunks(2)
                .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                .collect();
            let line = String::from_utf16(&units).unwrap();
            assert_eq!(line, "PS C:\\Windows\\system32> whoami /all\r\n");
        }
    }
}

#[test]
fn outputs_of_run_command_are_artifacts_without_commands() {
    let folder = Folder::new();
    let path = "out/92853adf-ba41-4cd6-9a88-142d10000000/i-02573cafcf0000000/awsrunShellScript/0.awsrunShellScript/stdout";
    let file = folder.file(path, b"$ rm -rf /\nnot typed by anybody\n");
    assert_eq!(commands(&file), Vec::<Value>::new());
    let (code, stdout, _) = run(&["commands"], &file);
    assert_eq!(code, 0);
    assert!(stdout.contains("92853adf-ba41-4cd6-9a88-142d10000000"), "{stdout}");
    assert!(stdout.contains("i-02573cafcf0000000"), "{stdout}");
    let (code, stdout, _) = run(&["scan"], &file);
    assert_eq!(code, 0);
    assert!(stdout.contains("1 output of Run Command"), "{stdout}");
}

#[test]
fn secrets_are_masked_unless_asked_for() {
    let folder = Folder::new();
    let raw = b"$ mysql -u root -pHunter2 shop\r\n$ export DB_PASSWORD='Hunter2'\r\n$ sudo curl -u a:Hunter3 http://x\r\n$ exit\r\n";
    let file = folder.file("raw.log", raw);
    for args in [
        &["commands"][..],
        &["commands", "--format", "json"],
        &["timeline"],
        &["scan"],
        &["scan", "--format", "json"],
        &["scan", "--format", "csv"],
    ] {
        let (_, stdout, stderr) = run(args, &file);
        assert!(!stdout.contains("Hunter") && !stderr.contains("Hunter"), "{args:?}: {stdout}");
        let revealed = [args, &["--reveal"]].concat();
        let (_, stdout, _) = run(&revealed, &file);
        assert!(stdout.contains("Hunter3"), "{revealed:?}");
    }
    let texts = executed(&commands(&file));
    let mark = |text: &str| text.split_once("[secret:").unwrap().1[..6].to_owned();
    assert_eq!(mark(&texts[0]), mark(&texts[1]), "one secret, twice");
    assert_ne!(mark(&texts[0]), mark(&texts[2]));
    let ids = |reveal: &[&str]| -> Vec<Value> {
        let args = [&["scan", "--format", "json", "-q"], reveal].concat();
        let (_, stdout, _) = run(&args, &file);
        stdout
            .lines()
            .map(|l| serde_json::from_str::<Value>(l).unwrap()["finding_id"].clone())
            .collect()
    };
    assert_eq!(ids(&[]), ids(&["--reveal"]), "an id does not depend on what is shown");
}

#[test]
fn a_timeline_is_readable_and_harmless() {
    let folder = Folder::new();
    let raw = b"$ sudo id\r\nuid=0\r\n$ printf x\r\n\x1b[8mhidden words\x1b[0m\r\n$ echo \x1b]0;t\x07done\r\n$ stty -echo\r\n$ \r\n";
    let file = folder.file(&format!("{ID}.log"), raw);
    let (code, stdout, stderr) = run(&["timeline"], &file);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.chars().all(|c| c == '\n' || !c.is_control()), "{stdout:?}");
    insta::assert_snapshot!("timeline", stdout.replace(&file.display().to_string(), "FILE"));
    let (_, stdout, stderr) = run(&["timeline", "--session", "nobody-08f49b7ab51000c16"], &file);
    assert_eq!(stdout, "");
    assert!(stderr.contains("no session"), "{stderr}");
}

#[test]
fn a_line_that_the_stream_has_cut_is_one_line() {
    let folder = Folder::new();
    let event = |lines: &[String]| {
        let event = json!({
            "eventVersion": "1.0", "eventTime": "2026-11-20T06:05:50Z", "awsRegion": "us-east-1",
            "target": {"id": "i-1"}, "userIdentity": {"arn": "a"}, "runAsUser": "ssm-user",
            "sessionId": ID, "sessionData": lines,
        });
        format!("{event}\n")
    };
    let long = "x".repeat(33_000);
    let stream = [
        event(&["$ cat big".into()]),
        event(std::slice::from_ref(&long)),
        event(&["more # x".into(), "$ id".into(), "uid=0".into()]),
        event(&[format!("$ echo {}", &long[..32_993])]),
        event(&["y".into(), "xy".into()]),
        event(std::slice::from_ref(&long)),
        // What may be a command is one, and is doubted.
        event(&["$ rm -rf /srv".into(), "$ exit".into()]),
    ];
    let texts = executed(&commands(&folder.file("s.jsonl", stream.concat().as_bytes())));
    assert_eq!(
        texts.len(),
        5,
        "{:?}",
        texts.iter().map(|text| &text[..9.min(text.len())]).collect::<Vec<_>>()
    );
    assert_eq!((texts[0].as_str(), texts[1].as_str()), ("cat big", "id"));
    assert!(texts[2].ends_with("xy") && texts[2].len() > 32_990);
    assert_eq!(texts[3], "rm -rf /srv");
}
