"""What a prompt file says, and the messages that it makes of a question and files.

Reading one is front_matter.py, finding one by name is finding.py.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from assistant.config import SamplingChoices, nearest
from assistant.errors import UsageError
from assistant.messages import Attachment, Message, Part, Role
from assistant.prompts.contents import Contents, PlacedFiles
from assistant.prompts.folders import Origin
from assistant.prompts.sentences import sentence
from assistant.prompts.templates import Template

PLACES = ("question", "files")  # what every template sees beside its variables


class Takes(StrEnum):
    """What a prompt is given. Files and standard input both arrive as attachments; a prompt
    that takes `stdin` wants it read although nobody typed "-"."""

    QUESTION = "question"
    FILES = "files"
    STDIN = "stdin"


class Gives(StrEnum):
    """What the answer is; FILE: the attached file, or its attached lines, as it should be."""

    MARKDOWN = "markdown"
    CODE = "code"
    FILE = "file"


class Variable(Struct, frozen=True):
    """What a template is told beside question and files: `--to LANGUAGE` on a command line.

    Without a default it must be given.
    """

    name: str
    default: str | None
    help: str
    metavar: str

    @property
    def option(self) -> str:
        """As it is typed: "--to"."""
        return f"--{self.name.replace('_', '-')}"


class PromptFile(Struct, frozen=True):
    """`needs` is what of `takes` cannot be left out; `examples` are command lines.

    `is_plain_text`: an encoder–decoder model can do it from the user's message alone.
    `own_language`: the prompt decides in which language it answers. `system_line` and
    `body_line` are where the two templates begin in the file.
    """

    path: Path
    name: str
    description: str
    takes: frozenset[Takes]
    needs: frozenset[Takes]
    gives: Gives
    sampling: SamplingChoices
    variables: Mapping[str, Variable]
    system: str
    body: str
    shows_files: bool = False
    is_plain_text: bool = False
    examples: tuple[str, ...] = ()
    own_language: bool = False
    origin: Origin = Origin.USER
    system_line: int = 1
    body_line: int = 1

    def fill(
        self,
        question: str = "",
        attachments: Sequence[Attachment] = (),
        variables: Mapping[str, str] | None = None,
        *,
        system: str = "",
        language: str = "",
        is_draft: bool = False,
    ) -> tuple[Message, ...]:
        """The messages to send: a system message, if there is one, and the user's.

        `system` replaces the prompt's own system message. `language` is the name of the
        language to answer in, unless the prompt decides that itself. Of a draft what is needed
        may be missing yet.

        The parts of a message name the attachment that they hold, "question", "system",
        "language", or "prompt NAME". Only the prompt file's own words are read as a template.
        Raises `UsageError` when something needed is missing, or given and not placed.
        """
        self._check_given(question, attachments, variables or {}, is_draft=is_draft)
        contents = Contents()
        values = {
            **self._values(variables or {}),
            "question": contents.add(question, "question") if question.strip() else "",
            "files": PlacedFiles(contents.add_file(attachment) for attachment in attachments),
        }
        head = self._system_parts(system, contents, values)
        if language and not self.own_language:
            said = sentence("language", language=language)
            head += (Part(f"{' ' if head else ''}{said}", "language"),)
        user = self._render(self.body, self.body_line, contents, values)
        missing = contents.not_placed()
        if missing:
            raise UsageError(
                f"{self.path} has no place for {missing[0]}",
                "write {{ question }} and {{ files }}, without filters, where they belong",
            )
        filled = (Message(Role.SYSTEM, head), Message(Role.USER, user))
        return tuple(message for message in filled if message.parts)

    def check_templates(self) -> None:
        """Raises `UsageError` naming the line of the first mistake that shows without filling."""
        names = {*self.variables, *PLACES}
        Template(self.system, self.path, self.system_line).check(names)
        Template(self.body, self.path, self.body_line).check(names)

    def _system_parts(
        self, system: str, contents: Contents, values: Mapping[str, object]
    ) -> tuple[Part, ...]:
        if system.strip():
            return (Part(system.strip(), "system"),)
        return self._render(self.system, self.system_line, contents, values)

    def _render(
        self, text: str, line: int, contents: Contents, values: Mapping[str, object]
    ) -> tuple[Part, ...]:
        rendered = Template(text, self.path, line).render(values)
        return contents.put_back(rendered.strip(), f"prompt {self.name}")

    def _values(self, given: Mapping[str, str]) -> dict[str, object]:
        values: dict[str, object] = {}
        for name, variable in self.variables.items():
            value = given.get(name, variable.default)
            if value is None or (variable.default is None and not value.strip()):
                needed = f"{variable.option} {variable.metavar}"
                raise UsageError(f"{self.name} needs {needed}", self._example())
            values[name] = value
        return values

    def _check_given(
        self,
        question: str,
        attachments: Sequence[Attachment],
        variables: Mapping[str, str],
        *,
        is_draft: bool,
    ) -> None:
        takes_files, needs = {Takes.FILES, Takes.STDIN}, set() if is_draft else self.needs
        reason = ""
        if Takes.QUESTION in needs and not question.strip():
            reason = "needs a question"
        elif takes_files & needs and not attachments:
            reason = "needs text on standard input or a file"
        elif question.strip() and Takes.QUESTION not in self.takes:
            reason = "takes no question"
        elif attachments and not takes_files & self.takes:
            reason = "takes no files"
        if reason:
            raise UsageError(f"{self.name} {reason}", self._example())
        for variable in variables:
            if variable not in self.variables:
                raise UsageError(
                    f"{self.name} has no variable {variable}", nearest(variable, self.variables)
                )

    def _example(self) -> str:
        """A command line that would have worked."""
        if self.examples:
            return self.examples[0]
        words = [
            f"{variable.option} {variable.metavar}"
            for variable in self.variables.values()
            if variable.default is None
        ]
        if Takes.FILES in (self.needs or self.takes):
            words.append("FILE")
        if Takes.STDIN in self.needs:
            words.append("< FILE")
        if Takes.QUESTION in (self.needs or self.takes):
            words.append('"…"')
        return " ".join(["llmchat", self.name, *words])
