"""The options that every command shares, declared once; they hold before and after it."""

from dataclasses import dataclass, fields, replace
from typing import Annotated

import typer

from assistant.cli.completions import (
    complete_colors,
    complete_conversations,
    complete_languages,
    complete_models,
    complete_outputs,
    complete_reasoning,
    complete_settings,
)
from assistant.config import Settings
from assistant.config_sources import Given, Loaded, find_user_file, read_settings
from assistant.errors import UsageError
from assistant.trust import trusted_project

MODEL = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="A .gguf file, a folder with one, starter, or hf:PATH to run it on PyTorch.",
        autocompletion=complete_models,
    ),
]
SYSTEM = Annotated[
    str | None,
    typer.Option("--system", "-s", metavar="TEXT", help="In place of the prompt's system message."),
]
FILE = Annotated[
    list[str] | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        help="Attach a file, FILE:10-40, FILE::symbol or a folder; repeatable.",
    ),
]
EXTRACT = Annotated[
    bool | None, typer.Option("--extract/--no-extract", "-x", help="Write only the code.")
]
OPTION = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-o",
        metavar="KEY VALUE",
        autocompletion=complete_settings,
        help="Any setting: temperature (0: no chance), max_tokens, seed, window …; repeatable.",
    ),
]
OUTPUT = Annotated[
    str | None,
    typer.Option(
        "--output",
        metavar="FORM",
        autocompletion=complete_outputs,
        help="text, json (one object; --json for short) or stream-json (an event a line).",
    ),
]
LANG = Annotated[
    str | None,
    typer.Option(
        "--lang",
        metavar="LANGUAGE",
        help="Answer in it: zh, de, … (the locale's).",
        autocompletion=complete_languages,
    ),
]
EDIT = Annotated[bool | None, typer.Option("--edit", "-e", help="Write the question in $EDITOR.")]
REASONING = Annotated[
    str | None,
    typer.Option(
        "--reasoning",
        metavar="MODE",
        help="show, hide or only: a model's thoughts.",
        autocompletion=complete_reasoning,
    ),
]
SHOW_PROMPT = Annotated[
    bool | None,
    typer.Option("--show-prompt", help="Show the prompt and its tokens; run nothing."),
]
DRY_RUN = Annotated[
    bool | None,
    typer.Option("--dry-run", help="Say what would be sent or written, and do neither."),
]
TIMEOUT = Annotated[
    str | None,
    typer.Option("--timeout", metavar="SECONDS", help="End after so long, and keep what came."),
]
FAIL_ON_LENGTH = Annotated[
    bool | None,
    typer.Option("--fail-on-length", help="Exit with 10 when max_tokens cut the answer."),
]
CANDIDATES = Annotated[
    str | None,
    typer.Option("--candidates", "-n", metavar="N", help="Write so many answers, up to 8."),
]
CONTINUE = Annotated[
    bool | None, typer.Option("--continue", "-c", help="Go on with the last conversation.")
]
CONVERSATION = Annotated[
    str | None,
    typer.Option(
        "--conversation",
        metavar="NAME",
        help="Go on with this one; NAME.3: from its message 3.",
        autocompletion=complete_conversations,
    ),
]
CHAT = Annotated[
    bool | None, typer.Option("--chat", help="Ask in the chat; standard input comes along.")
]
LINEAR = Annotated[
    bool | None,
    typer.Option("--linear", help="The chat as plain lines: for screen readers and old terminals."),
]
RESUME = Annotated[
    bool | None, typer.Option("--resume", help="Open the chat with a list of conversations.")
]
HISTORY = Annotated[
    bool | None,
    typer.Option("--history/--no-history", help="Keep question and answer, or nothing of them."),
]
SHOW_CONTEXT = Annotated[
    bool | None,
    typer.Option("--show-context", help="Say first what is sent, in exact tokens."),
]
RESIDENT = Annotated[
    bool | None,
    typer.Option(
        "--resident/--no-resident", help="Keep the model loaded for the next question, or do not."
    ),
]
INT8 = Annotated[
    bool | None,
    typer.Option("--int8", help="Compute an hf: model's linear layers in 8 bits (CPU)."),
]
YES = Annotated[bool | None, typer.Option("--yes", "-y", help="Do not ask before writing files.")]
CONFIG = Annotated[
    str | None, typer.Option("--config", metavar="FILE", help="In place of your config.toml.")
]
NO_CONFIG = Annotated[bool | None, typer.Option("--no-config", help="Read no settings file.")]
COLOR = Annotated[
    str | None,
    typer.Option(
        "--color",
        metavar="WHEN",
        help="auto, always or never.",
        autocompletion=complete_colors,
    ),
]
QUIET = Annotated[bool | None, typer.Option("--quiet", "-q", help="No progress and no last line.")]
VERBOSE = Annotated[
    bool | None, typer.Option("--verbose", "-v", help="Where the tokens went, and the times.")
]
DEBUG = Annotated[bool | None, typer.Option("--debug", help="Show where an error came from.")]

# Settings that have an option of their own, and how it is called in an error.
FLAGS = {
    "model": "-m",
    "system": "-s",
    "output": "--output",
    "lang": "--lang",
    "reasoning": "--reasoning",
    "timeout": "--timeout",
    "int8": "--int8",
    "resident": "--no-resident",
    "history": "--no-history",
    "color": "--color",
}
SWITCHES = ("int8", "resident", "history")  # of them: options that take no value
MOST_CANDIDATES = 8  # that an engine writes at once
REPEATED = ("file", "option")


# What only a command that asks the model heeds; the others leave it out of their help.
FOR_ANSWERS = (
    *("model", "system", "file", "extract", "option", "edit", "lang", "reasoning", "show_prompt"),
    *("timeout", "fail_on_length", "int8", "resident", "candidates", "continue_"),
    *("conversation", "history", "show_context", "chat", "linear", "resume"),
)


@dataclass(frozen=True, slots=True)
class Options:
    """What was typed; None: not typed here."""

    model: MODEL = None
    system: SYSTEM = None
    file: FILE = None
    extract: EXTRACT = None
    option: OPTION = None
    candidates: CANDIDATES = None
    continue_: CONTINUE = None
    conversation: CONVERSATION = None
    history: HISTORY = None
    chat: CHAT = None
    linear: LINEAR = None
    resume: RESUME = None
    show_context: SHOW_CONTEXT = None
    edit: EDIT = None
    lang: LANG = None
    reasoning: REASONING = None
    show_prompt: SHOW_PROMPT = None
    timeout: TIMEOUT = None
    fail_on_length: FAIL_ON_LENGTH = None
    int8: INT8 = None
    resident: RESIDENT = None
    output: OUTPUT = None
    dry_run: DRY_RUN = None
    yes: YES = None
    config: CONFIG = None
    no_config: NO_CONFIG = None
    color: COLOR = None
    quiet: QUIET = None
    verbose: VERBOSE = None
    debug: DEBUG = None

    def over(self, earlier: "Options") -> "Options":
        """These options, and the earlier ones where these were not typed."""
        missing = {
            spec.name: getattr(earlier, spec.name)
            for spec in fields(self)
            if getattr(self, spec.name) is None
        }
        for name in REPEATED:
            missing[name] = [*(getattr(earlier, name) or []), *(getattr(self, name) or [])]
        return replace(self, **missing)

    @property
    def wants_json(self) -> bool:
        """For commands that show a table. Raises `UsageError` for a wrong setting."""
        return self.load_settings().output != "text"

    @property
    def wanted_candidates(self) -> int:
        """Raises `UsageError` when that is no number of answers."""
        if self.candidates is None:
            return 1
        if self.candidates not in map(str, range(1, MOST_CANDIDATES + 1)):
            raise UsageError(
                f"-n {self.candidates}: it takes a number from 1 to {MOST_CANDIDATES}", "-n 4"
            )
        return int(self.candidates)

    def flags(self) -> dict[str, Given]:
        """The settings that were typed. Raises `UsageError` for an empty one."""
        named = {**FLAGS, "conversation": "--conversation"}
        if empty := [flag for name, flag in named.items() if getattr(self, name) == ""]:
            raise UsageError(f"{empty[0]} has an empty value", "leave it out, or name one")
        given = {
            name: Given(str(value).lower() if isinstance(value, bool) else as_text(value), shown)
            for name, shown in FLAGS.items()
            if (value := getattr(self, name)) is not None
        }
        for pair in self.option or []:
            key, _, value = pair.partition("=")
            given[key] = Given(as_text(value), f"-o {key}")  # the later wins
        return given

    def load(self) -> Loaded:
        """The settings, and where each comes from. Raises `UsageError`."""
        if self.no_config:
            return read_settings(self.flags(), user_file=None, project_file=None)
        project = trusted_project()
        return read_settings(
            self.flags(),
            user_file=find_user_file(self.config),
            project_file=project.settings_file if project else None,
        )

    def load_settings(self) -> Settings:
        """Raises `UsageError`."""
        return self.load().settings


def as_text(word: str) -> str:
    """A typed word: bytes that the locale could not decode are UTF-8 after all, or replaced."""
    return word.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
