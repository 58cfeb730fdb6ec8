"""The terminal: what it shows, in which characters, and what is known about it."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from assistant.doctor.check import Check, check, ok, warning

FEW_COLUMNS = 40
TRIAL = "—✓中"
STREAMS = ("standard input", "standard output", "standard error")


@dataclass(frozen=True, slots=True)
class Terminal:
    """`terminals`: which of the STREAMS are terminals; `encoding` is standard output's."""

    terminals: frozenset[str]
    columns: int
    encoding: str
    has_color: bool
    environment: Mapping[str, str] = field(default_factory=dict)


def this_terminal(environment: Mapping[str, str], *, has_color: bool) -> Terminal:
    """As the standard streams are now."""
    streams = zip(STREAMS, (sys.stdin, sys.stdout, sys.stderr), strict=True)
    return Terminal(
        frozenset(name for name, stream in streams if stream.isatty()),
        shutil.get_terminal_size().columns,
        sys.stdout.encoding or "",
        has_color,
        environment,
    )


@check("terminal")
def check_terminal(terminal: Terminal) -> Check:
    kind = terminal.environment.get("TERM", "")
    piped = [name for name in STREAMS if name not in terminal.terminals]
    if len(piped) == len(STREAMS):
        return ok("none: everything goes through pipes or files")
    facts = [
        kind or "TERM is not set",
        f"{terminal.columns} columns",
        _color(terminal),
        *_around(terminal.environment),
        *([f"{', '.join(piped)} no terminal"] if piped else []),
    ]
    if kind in ("", "dumb"):
        return warning("; ".join(facts), "export TERM=xterm-256color, if it is more than that")
    if terminal.columns < FEW_COLUMNS:
        return warning("; ".join(facts), f"make it wider: {FEW_COLUMNS} columns or more")
    return ok("; ".join(facts))


@check("characters")
def check_characters(terminal: Terminal) -> Check:
    """Whether what llmchat writes can be encoded; "—✓中" stands for it."""
    try:
        TRIAL.encode(terminal.encoding)
    except (UnicodeEncodeError, LookupError):
        return warning(
            f"the encoding {terminal.encoding or 'unknown'} cannot write all of it: "
            "what it lacks is shown as escapes",
            _encoding_hint(terminal.environment),
        )
    return ok(f"{terminal.encoding}: {TRIAL}")


def _color(terminal: Terminal) -> str:
    if terminal.has_color:
        return "colours"
    return "no colours" + (" (NO_COLOR is set)" if terminal.environment.get("NO_COLOR") else "")


def _around(environment: Mapping[str, str]) -> list[str]:
    """What stands between us and the person's screen."""
    found = []
    if environment.get("TMUX"):
        found.append("in tmux")
    elif environment.get("STY"):
        found.append("in screen")
    if environment.get("SSH_CONNECTION") or environment.get("SSH_TTY"):
        found.append("over ssh")
    return found


def _encoding_hint(environment: Mapping[str, str]) -> str:
    if environment.get("PYTHONIOENCODING"):
        return "unset PYTHONIOENCODING"
    decides = next((name for name in ("LC_ALL", "LC_CTYPE") if environment.get(name)), "LANG")
    return f"export {decides}=C.UTF-8"
