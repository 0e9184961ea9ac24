use model::ObservationKind;

use super::*;
use crate::terminal::Terminal;

fn commands(bytes: &[u8]) -> Vec<(String, CommandStatus, Confidence)> {
    let mut terminal = Terminal::new(Reader::default());
    terminal.write(bytes, 0);
    let (reader, screen) = terminal.finish();
    let mut found = Vec::new();
    reader.finish(&screen, bytes.len() as u64, &mut |told| {
        if let Told::Command(command) = told {
            found.push((command.text, command.status, command.confidence));
        }
    });
    found
}

fn texts(bytes: &[u8]) -> Vec<String> {
    commands(bytes).into_iter().map(|(text, ..)| text).collect()
}

#[test]
fn bash_with_marks_is_certain() {
    let found = commands(
        b"\x1b[?2004hsh-5.2$ whoami\r\n\x1b[?2004l\rroot\r\n\
          \x1b[?2004hsh-5.2$ oops^C\x1b[?2004l\r\x1b[?2004h\x1b[?2004l\r\r\n\
          \x1b[?2004hsh-5.2$ exit\r\n\x1b[?2004l\rexit\r\n",
    );
    let expected = [
        ("whoami", CommandStatus::Executed),
        ("oops", CommandStatus::Aborted),
        ("exit", CommandStatus::Executed),
    ];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((text, status, confidence), expected) in found.iter().zip(expected) {
        assert_eq!((text.as_str(), *status), expected);
        assert_eq!(*confidence, Confidence::Certain);
    }
}

#[test]
fn dash_is_followed_by_its_first_prompt() {
    assert_eq!(
        texts(b"$ id -un\r\nroot\r\n$ cat x\r\n$ fake\r\n# not a prompt\r\n$ exit\r\n"),
        ["id -un", "cat x", "fake", "exit"],
        "a line of output equal to the prompt cannot be told apart here"
    );
    assert_eq!(
        texts(b"$ id -un\r\nroot\r\n$ echo '$ fake'\r\n$ fake\r\n$ exit\r\n"),
        ["id -un", "echo '$ fake'", "exit"],
        "but for what the command itself spells out"
    );
}

#[test]
fn another_prompt_in_the_output_is_output() {
    assert_eq!(
        texts(b"$ cat log\r\nsh-5.2$ whoami\r\n[root@x ~]# reboot\r\n$ exit\r\n"),
        ["cat log", "exit"]
    );
    assert_eq!(
        texts(b"$ sudo su - bob\r\n[bob@x ~]$ id\r\nuid=1\r\n[bob@x ~]$ exit\r\n$ pwd\r\n"),
        ["sudo su - bob", "id", "exit", "pwd"]
    );
}

#[test]
fn a_heredoc_is_one_command() {
    assert_eq!(
        texts(b"$ cat <<EOF\r\n> one\r\n> EOF\r\none\r\n$ ls\r\n"),
        ["cat <<EOF\none\nEOF", "ls"]
    );
}

#[test]
fn a_completion_listing_is_nothing() {
    assert_eq!(
        texts(b"\x1b[?2004hsh-5.2$ cat f\r\nfoo  fox\r\nsh-5.2$ cat foo\r\n\x1b[?2004l\rtext\r\n"),
        ["cat foo"]
    );
    assert_eq!(texts(b"sh-4.2$ cat f\x07\r\nfoo fox\r\nsh-4.2$ cat foo\r\ntext\r\n"), ["cat foo"]);
}

#[test]
fn history_is_expanded_as_the_shell_says() {
    assert_eq!(
        texts(b"\x1b[?2004hsh-5.2$ sudo !!\r\n\x1b[?2004l\rsudo ls /opt\r\nMakefile\r\n"),
        ["sudo ls /opt"]
    );
}

#[test]
fn zsh_marks_behind_its_prompt() {
    assert_eq!(texts(b"host% \x1b[K\x1b[?2004hl\x08ls -l\x1b[?2004l\r\r\nx\r\n"), ["ls -l"]);
}

#[test]
fn a_prompt_set_to_nothing_hides_nothing() {
    let found = commands(b"$ PS1=''\r\nwhoami\r\nroot\r\nPS1='# '\r\n# history -c\r\n# exit\r\n");
    let texts: Vec<_> = found.iter().map(|(text, ..)| text.as_str()).collect();
    assert_eq!(texts, ["PS1=''", "whoami", "PS1='# '", "history -c", "exit"]);
    assert_eq!(found[1].2, Confidence::Guess);
}

#[test]
fn what_was_not_submitted_is_unfinished() {
    let found = commands(b"$ ls\r\n$ rm -rf /tm");
    assert_eq!(found.last().map(|(_, status, _)| *status), Some(CommandStatus::Unfinished));
}

/// Bytes, the first commands, and what is observed behind which of them.
type Case = (&'static [u8], &'static [&'static str], &'static [(ObservationKind, u32)]);

#[test]
fn what_hides_something_is_observed() {
    use ObservationKind::{
        ClipboardWritten, ConcealedText, EchoOff, EmptyPrompt, HistoryOff, OverwrittenCommand,
        SwallowedText,
    };
    let observed = |bytes: &[u8]| {
        let mut terminal = Terminal::new(Reader::default());
        terminal.write(bytes, 0);
        let (reader, screen) = terminal.finish();
        let (mut texts, mut kinds) = (Vec::new(), Vec::new());
        reader.finish(&screen, bytes.len() as u64, &mut |told| match told {
            Told::Command(command) => texts.push(command.text),
            Told::Observation(o) => kinds.push((o.kind, o.ordinal)),
        });
        (texts, kinds)
    };
    let cases: [Case; 9] = [
        (b"$ id\r\n\x1b[8muid=0\x1b[0m\r\n$ ls\r\n", &["id", "ls"], &[(ConcealedText, 1)]),
        (b"$ id\r\n\x1b[30;40muid=0\x1b[0m\r\n", &["id"], &[(ConcealedText, 1)]),
        (b"$ evil\r\n\x1b[1A\x1b[2K\r\n$ ls\r\n", &["evil", "ls"], &[(OverwrittenCommand, 1)]),
        (b"$ pull\r\nlayer\r\n\x1b[1A\x1b[2Klayer 5%\r\n$ ls\r\n", &["pull", "ls"], &[]),
        (
            b"$ printf x\r\n\x1b]0;t\r\n$ evil\r\n$ ls\r\n",
            &["printf x", "evil", "ls"],
            &[(SwallowedText, 1)],
        ),
        (b"$ PS1=''\r\nid\r\n", &["PS1=''"], &[(EmptyPrompt, 1)]),
        (b"$ unset HISTFILE\r\n$ ls\r\n", &["unset HISTFILE", "ls"], &[(HistoryOff, 1)]),
        (b"$ stty -echo\r\n$ \r\n", &["stty -echo"], &[(EchoOff, 1)]),
        (b"$ x\r\n\x1b]52;c;cm0gLXJmIC8=\x07\r\n", &["x"], &[(ClipboardWritten, 1)]),
    ];
    for (bytes, commands, kinds) in cases {
        let (texts, found) = observed(bytes);
        assert_eq!(texts[..commands.len()], *commands, "{}", bytes.escape_ascii());
        assert_eq!(found, kinds, "{}", bytes.escape_ascii());
    }
}

#[test]
fn a_prompt_in_the_middle_of_a_line_is_survived_without_echo() {
    let bytes = "sh-4.2$ id\r\nsh-4.2$ stty -echo\r\n⎽⎽⎽⎽sh-4.2$ x\r\n⎽sh-4.2$ ls\r\n".as_bytes();
    let found = texts(bytes);
    assert_eq!(found[..2], ["id", "stty -echo"]);
}
