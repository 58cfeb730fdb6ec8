"""Reads a prompt file: YAML front matter and a body; `system` and the body are Jinja templates.

    ---
    name: explain
    description: Explain code in plain words
    examples: [llmchat explain src/app.py]
    takes: [files, question]    # files, stdin, question
    needs: [files]              # what of it cannot be left out
    gives: markdown             # or code, or file: the attached file as it should be
    shows_files: true           # a terminal shows short files above the answer
    plain_text: true            # an encoder–decoder model can do it, without system message
    own_language: true          # the prompt says in which language it answers
    sampling: {temperature: 0.2}
    variables:
      reader: a programmer      # --reader, and its default
      to: {help: A language., metavar: LANGUAGE}    # --to LANGUAGE; no default: it is needed
    system: You explain code to {{ reader }}.
    ---
    {{ files }}

    {{ question }}

Templates see their variables, `question`, and `files`: written as a whole, or one by one
(`file.name`, `file.language`, `file.text`, and `file` itself, which is its fenced text).
"""

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from keyword import iskeyword
from pathlib import Path
from typing import Any, TypeVar

from assistant.config import SAMPLING_RANGES, SamplingChoices, check_sampling, nearest
from assistant.errors import UsageError
from assistant.prompts.folders import Origin
from assistant.prompts.prompt_file import PLACES, Gives, PromptFile, Takes, Variable
from assistant.prompts.yaml_head import YamlHead, refuse, shown
from assistant.visible_text import visible

MAX_FILE_BYTES = 64 << 10
FILE = re.compile(r"---\n(?P<head>.*?)^---[ \t]*(?:\n(?P<body>.*))?", re.DOTALL | re.MULTILINE)
VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,31}")
KEYS = (
    "name",
    "description",
    "examples",
    "takes",
    "needs",
    "gives",
    "sampling",
    "variables",
    "system",
    "shows_files",
    "plain_text",
    "own_language",
)

Word = TypeVar("Word", bound=StrEnum)


def read_prompt(path: Path, origin: Origin = Origin.USER) -> PromptFile:
    """Raises `UsageError` that names the file, the line, the key, and the nearest key."""
    match = FILE.fullmatch(read_text(path))
    if match is None:
        raise refuse(path, 1, "it does not begin with front matter between two lines of ---")
    head = _Head(YamlHead(path, match["head"]))
    if head.text("name") != path.stem:
        raise head.wrong("its name is not that of the file", "name", hint=f"name: {path.stem}")
    needs = head.words("needs", Takes)
    return PromptFile(
        path=path,
        name=path.stem,
        description=_one_line(head.text("description")),
        takes=head.words("takes", Takes) | needs,
        needs=needs,
        gives=head.gives(),
        sampling=head.sampling(),
        variables=head.variables(),
        system=head.text("system", is_needed=False),
        body=match["body"] or "",
        shows_files=head.flag("shows_files"),
        is_plain_text=head.flag("plain_text"),
        examples=head.examples(),
        own_language=head.flag("own_language"),
        origin=origin,
        system_line=head.first_line("system"),
        body_line=match["head"].count("\n") + 3,
    )


def read_text(path: Path) -> str:
    """The text of a prompt file. Raises `UsageError` when it is too large, or no text."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as err:
        raise refuse(path, 1, f"it cannot be read: {err.strerror or err}") from err
    if len(data) > MAX_FILE_BYTES:
        raise refuse(path, 1, f"it is larger than {MAX_FILE_BYTES >> 10} KiB")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        raise refuse(path, line, "it is not UTF-8", "iconv -t UTF-8") from err


class _Head:
    """Front matter, checked key by key."""

    def __init__(self, yaml: YamlHead) -> None:
        self._yaml = yaml
        self._values = yaml.values
        self.wrong = yaml.wrong
        self.first_line = yaml.first_line
        self._check_keys(self._values, KEYS)

    def text(self, key: str, *, is_needed: bool = True) -> str:
        if is_needed and key not in self._values:
            raise self.wrong(f"{key} is missing")
        value = self._values.get(key, "")
        if not isinstance(value, str) or (is_needed and not value.strip()):
            raise self.wrong(f"{key} has to be text", key)
        return value.strip()

    def flag(self, key: str) -> bool:
        value = self._values.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(f"{key} has to be true or false", key)
        return value

    def gives(self) -> Gives:
        value = self._values.get("gives", Gives.MARKDOWN.value)
        return self._word("gives", value, Gives)

    def words(self, key: str, kind: type[Word]) -> frozenset[Word]:
        return frozenset(self._word(key, item, kind) for item in self._list(key))

    def examples(self) -> tuple[str, ...]:
        examples = []
        for item in self._list("examples"):
            if not isinstance(item, str) or not item.strip() or "\n" in item.strip():
                raise self.wrong("an example has to be a command line (in quotes)", "examples")
            examples.append(visible(item.strip()))
        return tuple(examples)

    def sampling(self) -> SamplingChoices:
        values = self._mapping("sampling")
        self._check_keys(values, SAMPLING_RANGES, "sampling")
        return SamplingChoices(**{key: self._choice(key, value) for key, value in values.items()})

    def variables(self) -> Mapping[str, Variable]:
        values = self._mapping("variables")
        for name in values:
            is_name = isinstance(name, str) and VARIABLE.fullmatch(name) is not None
            if not is_name or iskeyword(name) or name in PLACES:
                raise self.wrong(f"a variable cannot be named {shown(name)}", "variables", name)
        return {name: self._variable(name, value) for name, value in values.items()}

    def _choice(self, key: str, value: object) -> Any:
        try:
            return check_sampling(key, value)
        except UsageError as err:
            raise self.wrong(err.message, "sampling", key) from err

    def _variable(self, name: str, value: object) -> Variable:
        if not isinstance(value, dict):
            return Variable(name, self._default(name, value), "", name.upper())
        self._check_keys(value, ("default", "help", "metavar"), "variables", name)
        for key in ("help", "metavar"):
            if not isinstance(value.get(key, ""), str):
                raise self.wrong(f"{key} has to be text (in quotes)", "variables", name, key)
        return Variable(
            name,
            self._default(name, value["default"]) if "default" in value else None,
            _one_line(value.get("help", "")),
            _one_line(value.get("metavar", "")) or name.upper(),
        )

    def _default(self, name: str, value: object) -> str:
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise self.wrong(f"the variable {name} has to be text (in quotes)", "variables", name)
        return str(value)

    def _word(self, key: str, value: object, kind: type[Word]) -> Word:
        if isinstance(value, str) and value in [*kind]:
            return kind(value)
        raise self.wrong(f"{key} has {shown(value)}", key, hint=nearest(str(value), [*kind]))

    def _list(self, key: str) -> list[object]:
        listed = self._values.get(key, [])
        if not isinstance(listed, list):
            raise self.wrong(f"{key} has to be a list", key)
        return listed

    def _mapping(self, key: str) -> dict[str, Any]:
        values = self._values.get(key) or {}
        if not isinstance(values, dict):
            raise self.wrong(f"{key} has to be a mapping", key)
        return values

    def _check_keys(
        self, values: Mapping[Any, object], known: Collection[str], *place: str
    ) -> None:
        for key in values:
            if key not in known:
                raise self.wrong(
                    f"unknown key {shown(key)}", *place, key, hint=nearest(str(key), known)
                )


def _one_line(text: str) -> str:
    return visible(" ".join(text.split()))
