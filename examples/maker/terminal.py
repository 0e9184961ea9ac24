"""A typist at a pseudo-terminal: real shells, real line editing, one key at a time.

What makes the bytes repeatable:
- a key is sent only after the terminal has answered the one before it (readline draws differently
  when more input is waiting), and Enter only leads on once the next prompt is there;
- programs are stubs with fixed output, `HOME` is a private folder, the environment is given whole;
- a session is played until two takes agree, so that a hiccup of a busy machine cannot get in.

What makes the truth true: bash writes its own history entry for each command to a hidden file (from
`PS0`, which prints nothing). dash has no such hook, and needs none: it executes what the terminal
driver hands over, whose editing rules (erase, kill, interrupt) are applied to the keys here.
"""

import fcntl
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import stubs

KEY_NAMES = {
    "BS": "\x7f", "TAB": "\t", "UP": "\x1b[A", "DOWN": "\x1b[B", "RIGHT": "\x1b[C", "LEFT": "\x1b[D",
    **{f"C-{letter}": chr(ord(letter) - 96) for letter in "abcdefghijklmnopqrstuvwxyz"},
}  # fmt: skip
KEY = re.compile(r"<(" + "|".join(KEY_NAMES) + r")>|(.)", re.S)
CONTINUED = "> "
PATIENCE = 20.0  # seconds to wait for a prompt before giving up


@dataclass(frozen=True)
class Line:
    """What is typed at one prompt. `<BS>`, `<TAB>`, `<UP>`, `<C-c>` … name keys; a line feed in
    `keys` is an Enter that leads to a continuation prompt (a here-document)."""

    keys: str
    runs: str | None = ""  # the command that the shell executes; "" = just as typed; None = nothing
    prompt: str | None = None  # the next prompt, if it changes
    user: str | None = None  # who runs what follows, if that changes
    interrupt_after: str | None = None  # press Ctrl-C once the program has printed this

    @property
    def command(self) -> str | None:
        return self.keys if self.runs == "" else self.runs


@dataclass(frozen=True)
class Script:
    """A session to play: which shell, what is typed, what the programs answer."""

    shell: str  # "bash" or "dash"; both are started as `sh`, as the agent does
    prompt: str
    lines: list[Line]
    answers: dict[str, stubs.Answer | str]
    files: dict[str, str] = field(default_factory=dict)  # in the home folder
    host: str = "ip-10-0-0-1"
    bracketed_paste: bool = True  # off: as with the bash 4.2 of Amazon Linux 2
    unfinished: str = ""  # typed when the session was terminated from outside; "" = ended by `exit`


@dataclass(frozen=True)
class Recording:
    raw: bytes  # what came out of the terminal: the agent's ipcTempFile.log
    ends: list[int]  # for each line, where its output ended in `raw`


def record(script: Script) -> Recording:
    """Play until two takes agree."""
    takes: list[Recording] = []
    for _ in range(6):
        take = _play(script)
        if take in takes:
            return take
        takes.append(take)
    raise RuntimeError(f"six takes, no two alike: {script.lines[0].keys!r} …")


def _play(script: Script) -> Recording:
    with tempfile.TemporaryDirectory(prefix="ssm-audit-example-") as name:
        stage = Path(name)
        home = stage / "home"
        home.mkdir()
        for file, text in script.files.items():
            (home / file).write_text(text, encoding="utf-8")
        (stage / "inputrc").write_text(f"set enable-bracketed-paste {'on' if script.bracketed_paste else 'off'}\n")
        trace = stage / "trace"
        stubs.install(
            stage / "bin",
            script.answers,
            root_prompt=f"[root@{script.host} ~]# ",
            root_title=f"\\033]0;root@{script.host}:~\\007",
        )
        environment = {
            "TERM": "xterm-256color", "LANG": "C.UTF-8", "TZ": "UTC", "HOME": str(home), "PATH": str(stage / "bin"),
            "INPUTRC": str(stage / "inputrc"), "PS1": script.prompt, "PS2": CONTINUED,
            "EXAMPLE_TRACE": str(trace), "PS0": '$({ history 1; printf "\\0"; } >>"$EXAMPLE_TRACE")',
        }  # fmt: skip
        typist = _Typist(script.shell, environment)
        try:
            take = typist.perform(script)
        finally:
            typist.close()
        _compare_with_truth(script, trace)
        return take


class _Typist:
    def __init__(self, shell: str, environment: dict[str, str]):
        self.seen = b""
        self.master, terminal = os.openpty()
        self.process = subprocess.Popen(
            ["sh"], executable=shutil.which(shell), cwd="/", env=environment, stdin=terminal, stdout=terminal,
            stderr=terminal, start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(terminal)

    def perform(self, script: Script) -> Recording:
        prompt, ends = script.prompt, []
        self._await_prompt(prompt, 0)
        # The client reports its window only now; readline draws the prompt again.
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
        self._drain(0.15)
        for line in script.lines:
            prompt = line.prompt or prompt
            self._type_line(line, prompt, last=line is script.lines[-1] and not script.unfinished)
            ends.append(len(self.seen))
        if script.unfinished:
            self._press(script.unfinished)
            self.process.send_signal(signal.SIGKILL)
        self._await_end()
        return Recording(self.seen, ends)

    def _type_line(self, line: Line, prompt: str, *, last: bool) -> None:
        *before, final = line.keys.split("\n")
        for part in before:
            self._press(part)
            mark = len(self.seen)
            self._send(b"\r")
            self._await_prompt(CONTINUED, mark)
        interrupted = final.endswith("<C-c>")
        self._press(final.removesuffix("<C-c>"))
        mark = len(self.seen)
        self._send(b"\x03" if interrupted else b"\r")
        if line.interrupt_after:
            self._await(lambda: line.interrupt_after.encode() in self.seen[mark:], line.interrupt_after)
            self._drain(0.2)
            mark = len(self.seen)
            self._send(b"\x03")
        if last:
            self._await_end()
        else:
            self._await_prompt(prompt, mark)

    def _press(self, keys: str) -> None:
        for name, character in KEY.findall(keys):
            mark = len(self.seen)
            self._send((KEY_NAMES[name] if name else character).encode())
            self._await(lambda: len(self.seen) > mark, f"an echo of {name or character!r}")
            self._drain(0.006)

    def _send(self, data: bytes) -> None:
        os.write(self.master, data)

    def _await_prompt(self, prompt: str, mark: int) -> None:
        there = lambda: len(self.seen) > mark and self.seen.endswith(prompt.encode())  # noqa: E731
        self._await(there, f"the prompt {prompt!r}")
        self._drain(0.03)
        self._await(there, f"the prompt {prompt!r}")

    def _await(self, condition, what: str) -> None:
        limit = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > limit or not self._read(0.5, wait_for_more=True):
                raise RuntimeError(f"waited in vain for {what}; the terminal shows {self.seen[-300:]!r}")

    def _await_end(self) -> None:
        while self._read(PATIENCE, wait_for_more=False):
            pass
        self.process.wait(PATIENCE)

    def _drain(self, quiet: float) -> None:
        while self._read(quiet, wait_for_more=False):
            pass

    def _read(self, seconds: float, *, wait_for_more: bool) -> bool:
        """Read once. False: the terminal is gone, or (unless `wait_for_more`) stayed silent."""
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return wait_for_more
        try:
            data = os.read(self.master, 1024)
        except OSError:  # EIO: the last process has closed the terminal
            return False
        self.seen += data
        return bool(data)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)


def _compare_with_truth(script: Script, trace: Path) -> None:
    claimed = [line.command for line in script.lines if line.command is not None]
    if script.shell == "bash":
        entries = trace.read_text(encoding="utf-8").split("\0")[:-1]
        actual = [re.sub(r"\A\s*\d+\*?\s\s", "", entry).rstrip() for entry in entries]
    else:
        lines = [_cooked(line.keys) for line in script.lines]
        actual = [line for line in lines if line is not None]
    if actual != claimed:
        raise RuntimeError(f"the script claims {claimed!r}, the shell executed {actual!r}")


def _cooked(keys: str) -> str | None:
    """What the terminal driver makes of keys in its line-editing mode."""
    text = ""
    for name, character in KEY.findall(keys):
        if name == "BS":
            text = text[:-1]
        elif name == "C-u":
            text = ""
        elif name == "C-c":
            return None
        elif name:
            raise ValueError(f"dash has no line editor for <{name}>")
        else:
            text += character
    return text
