"""One line about every prompt, for help and completion: read from heads without YAML.

PyYAML takes 20 ms to import and a millisecond a file; help may not wait for that.
"""

import re
from pathlib import Path

from assistant.prompts.folders import prompt_paths
from assistant.visible_text import visible

HEAD_BYTES = 4096  # in which a description has to end
DESCRIPTION = re.compile(
    r"^description:[ \t]+(?P<value>[^\n]*\n(?:[ \t]+[^\n]*\n|\n)*)", re.MULTILINE
)
BLOCK = re.compile(r"[|>][+-]?[ \t]*(?:#[^\n]*)?\n")
COMMENT = re.compile(r"(?:^|[ \t])#[^\n]*")
SINGLE = re.compile(r"'((?:[^']|'')*)'")
DOUBLE = re.compile(r'"([^"\\]*)"')  # with escapes it is not read
PLAIN = re.compile(r"(?![\[\]{}&*!|>%@`'\",]|[-?:](?:\s|$))(?!.*:(?:\s|$))\S.*", re.DOTALL)
NO_TEXT = re.compile(
    r"~|null|true|false|yes|no|on|off|[-+.\d][-+.:_,\dxobeinfaA-F TZ]*", re.IGNORECASE
)  # what YAML reads as something else than text, and more


def prompt_summaries() -> dict[str, str]:
    """Name → description in one line, of those that win; "" where only YAML could read it."""
    found: dict[str, Path] = {}
    for _, path in prompt_paths():
        found.setdefault(path.stem, path)
    return {name: read_summary(found[name]) for name in sorted(found)}


def read_summary(path: Path) -> str:
    """The description as one visible line; "" when it cannot be read so simply."""
    try:
        with path.open("rb", buffering=0) as file:
            text = file.read(HEAD_BYTES).decode("utf-8-sig", "ignore").replace("\r\n", "\n")
    except OSError:
        return ""
    head, end, _ = text.removeprefix("---\n").partition("\n---")
    found = DESCRIPTION.search(f"{head}\n")
    if not (text.startswith("---\n") and end and found):
        return ""
    return visible(" ".join(_value(found["value"]).split()))


def _value(text: str) -> str:
    """A YAML scalar in one of the five ways to write it."""
    block = BLOCK.match(text)
    if block is not None:
        return text[block.end() :]
    text = text.strip()
    if text.startswith(("'", '"')):
        quoted = SINGLE.fullmatch(text) or DOUBLE.fullmatch(text)
        return quoted[1].replace("''", "'") if quoted is not None else ""
    plain = COMMENT.split(text)[0].strip()
    return plain if PLAIN.fullmatch(plain) and not NO_TEXT.fullmatch(plain) else ""
