"""The code of an answer that is to replace a text, or the reason why it must not.

A replacement that loses code without a word is the worst that a tool like this can do, so what
is not certainly the whole code is refused.
"""

import re
from dataclasses import dataclass

from assistant.code_blocks import CodeBlockReader, CodeEnded, CodeLine, CodeStarted
from assistant.edits.elisions import find_elision
from assistant.errors import InputError

_FENCE_LINE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Blocks:
    """The fenced blocks in their order; `is_cut`: the answer ended inside one."""

    codes: tuple[str, ...]
    is_cut: bool


def replacing_code(answer: str, old: str, name: str) -> str:
    """What the answer puts in the place of the text `old` of the file `name`.

    That is its longest fenced block: the others are mostly the line that was wrong, or examples
    of use. Raises `InputError` when there is none, when it is cut off, or when it leaves out code.
    """
    code = answer if _is_bare(answer, old) else _longest_block(answer, old, name)
    if old.strip() and not code.strip():
        raise InputError(f"the answer holds no code for {name}", "ask again")
    elision = find_elision(code.split("\n"), old.split("\n"))
    if elision is not None:
        raise InputError(
            f"the answer leaves out code of {name}, in line {elision.line}: {elision.text}",
            "ask for fewer lines at once, FILE:10-80",
        )
    return code


def _is_bare(answer: str, old: str) -> bool:
    """Whether no words stand around the code: it begins and ends with the old text's own lines."""
    lines, old_lines = answer.strip().split("\n"), old.strip().split("\n")
    ends = lines[0].strip(), lines[-1].strip()
    return bool(old.strip()) and ends == (old_lines[0].strip(), old_lines[-1].strip())


def _longest_block(answer: str, old: str, name: str) -> str:
    blocks = _read_blocks(answer)
    if blocks.is_cut:
        raise InputError(
            f"the answer ended before its code for {name} did", "more room: -o max_tokens NUMBER"
        )
    if not blocks.codes:
        raise InputError(f"the answer holds no fenced code for {name}", "ask again")
    code = max(blocks.codes, key=len)
    if _has_odd_fence(code) and not _has_odd_fence(old):
        raise InputError(
            f"the fences in the code for {name} cannot be told from the answer's",
            "ask for the lines between them, FILE:10-80",
        )
    return code


def _has_odd_fence(text: str) -> bool:
    return len(_FENCE_LINE.findall(text)) % 2 == 1


def _read_blocks(answer: str) -> _Blocks:
    reader = CodeBlockReader()
    codes: list[str] = []
    for piece in reader.feed(answer + "\n"):  # a fence may end the answer without a line end
        match piece:
            case CodeStarted():
                codes.append("")
            case CodeLine(line):
                codes[-1] += line
            case _:
                pass
    return _Blocks(tuple(codes), is_cut=any(isinstance(p, CodeEnded) for p in reader.close()))
