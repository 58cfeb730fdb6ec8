"""All /commands: which line is one, what runs it, and what may come next."""

import re
from collections.abc import Generator, Iterable, Iterator, Sequence

from assistant.chat_commands import (
    answer_commands,
    conversation_commands,
    question_commands,
    setting_commands,
)
from assistant.chat_commands.chat import Chat
from assistant.chat_commands.command import Choice, Command
from assistant.chat_commands.effects import Effect, Leave, Say, ShowTable
from assistant.chat_commands.hints import in_chat
from assistant.chat_commands.path_choices import path_choices
from assistant.chat_commands.prompt_commands import ask_with
from assistant.config import nearest
from assistant.errors import AssistantError, UsageError
from assistant.messages import Attachment
from assistant.prompts.finding import find_prompt
from assistant.prompts.folders import prompt_names
from assistant.prompts.summaries import prompt_summaries

LEAVING = ("exit", "quit", ":q", ".exit")  # alone on a line
NAME = re.compile(r"/([A-Za-z?][\w-]*)(?:\s+|\Z)")  # /usr/bin and /* are none


# ── what a line is ──────────────────────────────────────────────────────────────────────────


def is_command(line: str) -> bool:
    """A word behind a slash at the very beginning, without another slash or a dot in it."""
    return NAME.match(line) is not None or line.strip() in ("/", *LEAVING)


def question_text(line: str) -> str:
    """What a line that is no command asks: a leading blank, or `//`, lets it begin with a slash."""
    return line[1:] if line.startswith("//") else line.strip()


def may_run_now(line: str) -> bool:
    """Whether a command need not wait for the answer that is being written."""
    command = _command(_name_and_rest(line)[0])
    return command is not None and not command.waits


def needs_model(line: str) -> bool:
    """Whether a model has to be loaded for the line, a command or a question."""
    if not is_command(line):
        return True
    name, _ = _name_and_rest(line)
    command = _command(name)
    return name in prompt_names() if command is None else command.needs_model


def run_command(
    chat: Chat, line: str, attachments: Sequence[Attachment] = ()
) -> Generator[Effect, None, None]:
    """What the command wants done, in its order; the next one is made when it is asked for.

    `attachments` were given with the line. It may wait for the engine or the disk. Raises
    `AssistantError` whose hint can be typed in the chat; nothing is sent to the model then.
    """
    try:
        yield from _run(chat, line, attachments)
    except AssistantError as err:
        raise in_chat(err) from err


def _run(chat: Chat, line: str, attachments: Sequence[Attachment]) -> Iterator[Effect]:
    name, rest = _name_and_rest(line)
    if (command := _command(name)) is not None:
        yield from command.run(chat, rest)
    elif name in prompt_names():
        yield from ask_with(find_prompt(name), chat, rest, attachments)
    else:
        hint = nearest(f"/{name}", [f"/{known}" for known in _all_names()])
        near = hint if hint.startswith("did you mean") else "/help lists all;"
        said = f"{near} // before it sends it as text"
        raise UsageError(f"there is no command /{name[:80]}", said)


def _name_and_rest(line: str) -> tuple[str, str]:
    if line.strip() in LEAVING:
        return "exit", ""
    found = NAME.match(line)
    return (found[1].lower(), line[found.end() :].strip()) if found else ("help", "")


def _command(name: str) -> Command | None:
    return next((one for one in COMMANDS if name == one.name or name in one.aliases), None)


def _all_names() -> list[str]:
    return [*(one.name for one in COMMANDS), *prompt_names()]


# ── help, and the way out ───────────────────────────────────────────────────────────────────


def help_(_chat: Chat, rest: str) -> Iterator[Effect]:
    if rest:
        yield from _help_for(rest.removeprefix("/").lower())
        return
    yield ShowTable(tuple((one.usage, one.summary) for one in COMMANDS), "commands")
    prompts = tuple((f"/{name}", said) for name, said in prompt_summaries().items())
    yield ShowTable(prompts, "prompts; files and a question follow")
    yield Say("A text that begins with a slash is sent with `//` or a blank before it.")


def _help_for(name: str) -> Iterator[Effect]:
    if (command := _command(name)) is not None:
        others = [f"/{alias}" for alias in command.aliases]
        rows = [(command.usage, command.summary)]
        yield ShowTable((*rows, *((alias, "the same") for alias in others)))
        return
    if name not in prompt_names():
        raise UsageError(f"there is no command /{name[:80]}", nearest(name, _all_names()))
    found = find_prompt(name)
    options = [
        (f"{variable.option} {variable.metavar}", variable.help)
        for variable in found.variables.values()
    ]
    usage = f"/{name} [FILE …] [QUESTION]"
    yield ShowTable(((usage, " ".join(found.description.split())), *options))


def leave(_chat: Chat, _rest: str) -> Iterator[Effect]:
    yield Leave()


# ── completion ──────────────────────────────────────────────────────────────────────────────


def complete(chat: Chat, line: str) -> list[Choice]:
    """What the line up to the cursor may become; it may wait for the disk."""
    found = NAME.match(line)
    if not line.startswith("/") or "\n" in line:
        return []
    if found is None or (found.end() == len(line) and not line[-1].isspace()):
        return list(_names(line[1:].lower()))
    name, rest = found[1].lower(), line[found.end() :]
    command = _command(name)
    if command is not None:
        choices: Iterable[Choice] = command.complete(chat, rest)
    else:
        choices = path_choices(chat, rest) if name in prompt_names() else ()
    head = line[: found.end()]
    return [Choice(head + choice.text, choice.summary) for choice in choices]


def _names(begun: str) -> Iterator[Choice]:
    for command in COMMANDS:
        if any(name.startswith(begun) for name in (command.name, *command.aliases)):
            blank = " " if command.arguments else ""
            yield Choice(f"/{command.name}{blank}", command.summary)
    taken = {name for one in COMMANDS for name in (one.name, *one.aliases)}
    for name, said in prompt_summaries().items():
        if name.startswith(begun) and name not in taken:
            yield Choice(f"/{name} ", said)


COMMANDS = (
    Command("help", "Show all commands, or one.", help_, "[COMMAND]", ("?",), waits=False),
    *conversation_commands.COMMANDS,
    *answer_commands.COMMANDS,
    *question_commands.COMMANDS,
    *setting_commands.COMMANDS,
    Command("exit", "Leave.", leave, "", ("quit", "bye", "q"), waits=False),
)
