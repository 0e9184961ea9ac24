"""Stand-ins for the programs that people run in the story.

A recording must not depend on this machine, nor do anything to it: the shells are real, the
programs are these. A stub knows a few command lines and their output; for anything else it fails
loudly with `UNSCRIPTED`, which `check.py` refuses to find in a recording. Harmless filters are
the machine's own.
"""

import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

UNSCRIPTED = "UNSCRIPTED"
REAL = ("cat", "grep", "head", "wc", "sort", "ls", "mkdir")


@dataclass(frozen=True)
class Answer:
    """What a stub prints, and how it ends."""

    text: str = ""
    status: int = 0
    hangs: bool = False  # like `tail -f`: waits for Ctrl-C

    def script(self) -> str:
        end = f"exec {shutil.which('sleep')} 600" if self.hangs else f"exit {self.status}"
        return f"printf %s {shlex.quote(self.text)}; {end}"


def install(folder: Path, answers: dict[str, Answer | str], *, root_prompt: str, root_title: str) -> None:
    """Write one executable per program named in `answers` ({command line: output}), and `sudo`."""
    folder.mkdir(parents=True)
    programs: dict[str, dict[str, Answer]] = {name: {} for name in REAL}
    for line, answer in answers.items():
        words = shlex.split(line)
        rest = " ".join(words[1:])
        programs.setdefault(words[0], {})[rest] = answer if isinstance(answer, Answer) else Answer(answer)
    for name, lines in programs.items():
        cases = "\n".join(f"{shlex.quote(rest)}) {answer.script()};;" for rest, answer in lines.items())
        real = shutil.which(name) if name in REAL else None
        fallback = f'exec {real} "$@"' if real else f'echo "{UNSCRIPTED}: {name} $*"; exit 127'
        _executable(folder / name, f'#!/bin/sh\ncase "$*" in\n{cases}\nesac\n{fallback}\n')
    bash = shutil.which("bash")
    (folder / "bash").symlink_to(bash)
    # `sudo su -` gives the login shell of root on Amazon Linux, which sets the window title too.
    _executable(
        folder / "sudo",
        f"""#!{bash}
if [[ "$*" == "su -" ]]; then
    export PS1={shlex.quote(root_prompt)} PROMPT_COMMAND={shlex.quote("printf " + shlex.quote(root_title))}
    unset HISTFILE
    exec -a -bash {bash} --noprofile --norc
fi
exec "$@"
""",
    )


def _executable(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
