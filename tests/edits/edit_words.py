"""What the tests of edits say again and again."""

from pathlib import Path

from assistant.errors import AssistantError
from assistant.messages import Attachment, SourceFile


def fenced(code: str, mark: str = "```", before: str = "Here it is:\n\n") -> str:
    """An answer with one block of code."""
    end = "" if code.endswith("\n") or not code else "\n"
    return f"{before}{mark}python\n{code}{end}{mark}\n\nI hope that helps.\n"


def attached(
    path: Path,
    data: bytes,
    encoding: str = "utf-8",
    mark: bytes = b"",
    lines: tuple[int, int] | None = None,
) -> Attachment:
    """A file that is written, and attached whole or with some lines."""
    path.write_bytes(data)
    text = data[len(mark) :].decode(encoding)
    if lines is not None:
        text = "\n".join(text.split("\n")[lines[0] - 1 : lines[1]])
    return Attachment(
        path.name, text, "python", source=SourceFile(path, data, encoding, mark, lines)
    )


def one_line(error: AssistantError) -> str:
    """The message of an error that says what to type, in one line."""
    assert error.hint
    assert "\n" not in error.message + error.hint
    return error.message
