"""Prompt files: the words sent to a model, one Markdown file per task. Finds and fills them.

A file is YAML front matter and a body; `system` and the body are Jinja templates:

    ---
    name: explain
    description: Explain code
    takes: [files, question]    # files, stdin, question
    needs: [files]              # what of it cannot be left out
    gives: markdown             # or code
    shows_files: true           # a terminal shows short files above the answer
    plain_text: true            # an encoder–decoder model can do it, without system message
    sampling: {temperature: 0.2}
    variables: {reader: a programmer}
    system: You explain code to {{ reader }}.
    ---
    {{ files }}

    {{ question }}

Templates see their variables, `question`, and `files`: written as a whole, or one by one
(`file.name`, `file.language`, `file.text`, and `file` itself, which is its fenced text).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any

from assistant import paths
from assistant.config import SAMPLING_RANGES, SamplingChoices
from assistant.errors import UsageError
from assistant.messages import Attachment, Message, Part, Role

MAX_FILE_BYTES = 64 << 10
NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
FILE = re.compile(r"---\n(?P<head>.*?)^---[ \t]*(?:\n(?P<body>.*))?", re.DOTALL | re.MULTILINE)
KEYS = (
    "name",
    "description",
    "takes",
    "needs",
    "gives",
    "sampling",
    "variables",
    "system",
    "shows_files",
    "plain_text",
)


class Takes(StrEnum):
    """What a prompt is given. Files and standard input both arrive as attachments; a prompt
    that takes `stdin` wants it read although nobody typed "-"."""

    QUESTION = "question"
    FILES = "files"
    STDIN = "stdin"


class Gives(StrEnum):
    MARKDOWN = "markdown"
    CODE = "code"


@dataclass(frozen=True, slots=True)
class PromptFile:
    """`needs` is what of `takes` cannot be left out; `variables` maps names to defaults.

    `is_plain_text`: an encoder–decoder model can do it from the user's message alone.
    """

    path: Path
    name: str
    description: str
    takes: frozenset[Takes]
    needs: frozenset[Takes]
    gives: Gives
    sampling: SamplingChoices
    variables: Mapping[str, str]
    system: str
    body: str
    shows_files: bool = False
    is_plain_text: bool = False

    def fill(
        self,
        question: str = "",
        attachments: Sequence[Attachment] = (),
        variables: Mapping[str, str] | None = None,
    ) -> tuple[Message, ...]:
        """The messages to send: a system head, if there is one, and the user's message.

        The parts of a message name the attachment that they hold, "question", or "prompt
        NAME". The text of question and attachments is never read as a template. Raises
        `UsageError` when something needed is missing, or given and not placed.
        """
        self._check_given(question, attachments, variables or {})
        contents = _Contents()
        values = {
            **self.variables,
            **(variables or {}),
            "question": contents.add(question, "question") if question.strip() else "",
            "files": _Files(contents.add_file(attachment) for attachment in attachments),
        }
        messages = []
        for role, template in ((Role.SYSTEM, self.system), (Role.USER, self.body)):
            text = self._render(template, values).strip()
            parts = contents.put_back(text, f"prompt {self.name}")
            if parts:
                messages.append(Message(role, parts))
        missing = contents.not_placed()
        if missing:
            raise UsageError(
                f"{self.path} has no place for {missing[0]}",
                "write {{ question }} and {{ files }}, without filters, where they belong",
            )
        return tuple(messages)

    def _check_given(
        self, question: str, attachments: Sequence[Attachment], variables: Mapping[str, str]
    ) -> None:
        takes_files = {Takes.FILES, Takes.STDIN}
        if Takes.QUESTION in self.needs and not question.strip():
            raise UsageError(f"{self.name} needs a question", f'llmchat {self.name} "…"')
        if takes_files & self.needs and not attachments:
            raise UsageError(
                f"{self.name} needs text on standard input or a file", f"llmchat {self.name} < FILE"
            )
        if question.strip() and Takes.QUESTION not in self.takes:
            raise UsageError(f"{self.name} takes no question", f"llmchat {self.name} < FILE")
        if attachments and not takes_files & self.takes:
            raise UsageError(f"{self.name} takes no files", f'llmchat {self.name} "…"')
        for variable in variables:
            if variable not in self.variables:
                raise UsageError(
                    f"{self.name} has no variable {variable}", _nearest(variable, self.variables)
                )

    def _render(self, template: str, values: Mapping[str, object]) -> str:
        from jinja2 import StrictUndefined  # takes 40 ms, and the engine loads meanwhile
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
        )
        try:
            return environment.from_string(template).render(values)
        except Exception as err:  # whatever an expression of the template raises
            reason = str(err).partition("\n")[0]
            raise UsageError(f"{self.path}: {reason}", "correct its template") from err


class _Contents:
    """Texts that a template places without seeing them.

    It sees placeholders that nobody can guess; the texts take their places after rendering,
    so that no text is read as a template and every part knows where it came from.
    """

    def __init__(self) -> None:
        import secrets  # takes 5 ms

        self._mark = f"\ue000{secrets.token_hex(16)}."
        self._parts: list[Part] = []
        self._placed: set[str] = set()

    def add(self, text: str, source: str) -> str:
        self._parts.append(Part(text, source))
        return f"{self._mark}{len(self._parts) - 1}\ue001"

    def add_file(self, attachment: Attachment) -> "_File":
        raw = self.add(attachment.text, attachment.name)
        fenced = self.add(fence(attachment.text, attachment.language), attachment.name)
        return _File(attachment.name, attachment.language, raw, fenced)

    def put_back(self, text: str, template: str) -> tuple[Part, ...]:
        pieces = re.split(f"{re.escape(self._mark)}(\\d+)\ue001", text)
        parts = [Part(piece, template) for piece in pieces]
        for at in range(1, len(pieces), 2):
            parts[at] = self._parts[int(pieces[at])]
            self._placed.add(parts[at].source)
        return tuple(part for part in parts if part.text)

    def not_placed(self) -> list[str]:
        return [part.source for part in self._parts if part.source not in self._placed]


@dataclass(frozen=True, slots=True)
class _File:
    name: str
    language: str
    text: str
    fenced: str

    def __str__(self) -> str:
        return self.fenced


class _Files(tuple[_File, ...]):
    __slots__ = ()

    def __str__(self) -> str:
        return "\n\n".join(f"{file.name}:\n{file}" for file in self)


def fence(text: str, language: str) -> str:
    """Text in a Markdown code fence that is longer than any run of backticks inside it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    marks = "`" * max(3, longest + 1)
    end = "" if text.endswith("\n") or not text else "\n"
    return f"{marks}{language}\n{text}{end}{marks}"


# ── finding ─────────────────────────────────────────────────────────────────────────────────


def find_prompt(name: str) -> PromptFile:
    """A built-in prompt, else the user's own. Raises `UsageError`."""
    for folder in _folders():
        path = folder / f"{name}.md"
        if NAME.fullmatch(name) and path.is_file():
            return read_prompt(path)
    raise UsageError(f"there is no prompt {name!r}", _nearest(name, prompt_names()))


def list_prompts() -> tuple[PromptFile, ...]:
    """All prompts by name. Raises `UsageError` naming the first file that is wrong."""
    return tuple(find_prompt(name) for name in prompt_names())


def prompt_names() -> tuple[str, ...]:
    """Names alone: no file is opened."""
    paths_found = (path for folder in _folders() for path in folder.glob("*.md"))
    return tuple(sorted({path.stem for path in paths_found if NAME.fullmatch(path.stem)}))


def _folders() -> tuple[Path, Path]:
    """Built-in prompts win: a user's file must not change what `llmchat ask` means."""
    here = Path(__file__).parent
    # In a checkout prompts/ stands beside the package; beside an installed package a folder
    # of that name is somebody else's.
    installed = here / "prompt_files"
    built_in = installed if installed.is_dir() else here.parent / "prompts"
    return built_in, paths.config_folder() / "prompts"


# ── reading ─────────────────────────────────────────────────────────────────────────────────


def read_prompt(path: Path) -> PromptFile:
    """Raises `UsageError` that names the file, the key, and the nearest key."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as err:
        raise _wrong(path, f"it cannot be read: {err}") from err
    if len(data) > MAX_FILE_BYTES:
        raise _wrong(path, f"it is larger than {MAX_FILE_BYTES >> 10} KiB")
    match = FILE.fullmatch(text)
    if match is None:
        raise _wrong(path, "it does not begin with front matter between two lines of ---")
    head = _Head(path, _load_yaml(path, match["head"]))
    if head.text("name") != path.stem:
        raise _wrong(path, f"its name is {head.text('name')!r}, not that of the file")
    needs = head.takes("needs")
    return PromptFile(
        path=path,
        name=path.stem,
        description=head.text("description"),
        takes=head.takes("takes") | needs,
        needs=needs,
        gives=head.gives(),
        sampling=head.sampling(),
        variables=head.variables(),
        system=head.text("system", optional=True),
        body=match["body"] or "",
        shows_files=head.flag("shows_files"),
        is_plain_text=head.flag("plain_text"),
    )


def _load_yaml(path: Path, text: str) -> dict[str, Any]:
    import yaml  # takes 20 ms

    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as err:
        mark = getattr(err, "problem_mark", None)
        line = f", line {mark.line + 2}" if mark else ""
        reason = getattr(err, "problem", None) or "it is no YAML"
        raise UsageError(f"{path}{line}: {reason}", "correct its front matter") from err
    if not isinstance(values, dict):
        raise _wrong(path, "its front matter has no keys")
    for key in values:
        if key not in KEYS:
            raise UsageError(f"{path}: unknown key {str(key)[:80]!r}", _nearest(str(key), KEYS))
    return values


class _Head:
    """Front matter, checked key by key."""

    def __init__(self, path: Path, values: Mapping[str, Any]) -> None:
        self._path = path
        self._values = values

    def text(self, key: str, *, optional: bool = False) -> str:
        value = self._values.get(key, "")
        if not isinstance(value, str) or not (value.strip() or optional):
            raise _wrong(self._path, f"{key} has to be text")
        return value.strip()

    def gives(self) -> Gives:
        value = self._values.get("gives", Gives.MARKDOWN)
        if value not in [*Gives]:
            raise _wrong(self._path, f"gives has to be one of {', '.join(Gives)}")
        return Gives(value)

    def flag(self, key: str) -> bool:
        value = self._values.get(key, False)
        if not isinstance(value, bool):
            raise _wrong(self._path, f"{key} has to be true or false")
        return value

    def takes(self, key: str) -> frozenset[Takes]:
        listed = self._values.get(key, [])
        if not isinstance(listed, list):
            raise _wrong(self._path, f"{key} has to be a list")
        for item in listed:
            if item not in [*Takes]:
                raise UsageError(
                    f"{self._path}: {key} has {str(item)[:80]!r}", _nearest(str(item), [*Takes])
                )
        return frozenset(Takes(item) for item in listed)

    def sampling(self) -> SamplingChoices:
        values = self._mapping("sampling", SAMPLING_RANGES)
        for key, value in values.items():
            kind, low, high = SAMPLING_RANGES[key]
            numbers = int if kind is int else int | float
            is_right = isinstance(value, numbers) and not isinstance(value, bool)
            if not (is_right and low <= value <= high):
                raise _wrong(self._path, f"{key} has to be a number from {low} to {high}")
        return SamplingChoices(**values)

    def variables(self) -> Mapping[str, str]:
        values = self._mapping("variables")
        for key, value in values.items():
            if not str(key).isidentifier() or key in ("question", "files"):
                raise _wrong(self._path, f"a variable cannot be named {str(key)[:80]!r}")
            if not isinstance(value, str | int | float) or isinstance(value, bool):
                raise _wrong(self._path, f"the variable {key} has to be text (in quotes)")
        return {key: str(value) for key, value in values.items()}

    def _mapping(self, key: str, allowed: Mapping[str, object] | None = None) -> dict[str, Any]:
        values = self._values.get(key) or {}
        if not isinstance(values, dict):
            raise _wrong(self._path, f"{key} has to be a mapping")
        for name in values:
            if allowed is not None and name not in allowed:
                raise UsageError(
                    f"{self._path}: {key} has the unknown key {str(name)[:80]!r}",
                    _nearest(str(name), allowed),
                )
        return values


def _wrong(path: Path, reason: str) -> UsageError:
    return UsageError(f"{path}: {reason}", "look at the built-in prompts for the form")


def _nearest(word: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = get_close_matches(word, names, n=1)
    return f"did you mean {close[0]}?" if close else f"known: {', '.join(names) or 'none'}"
