"""What a user asks, and the messages that it becomes."""

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from assistant.backends.base import SamplingOptions
from assistant.config import SamplingChoices
from assistant.messages import Attachment, Message, Part, Role
from assistant.prompts.prompt_file import PromptFile
from assistant.prompts.sentences import sentence
from assistant.trust import Note

PLAIN = "ask"  # the prompt of a question in one's own words
LANGUAGE = "language"  # the source of the sentence that says in which to answer
LONGEST_TITLE = 80  # characters
DEFAULT = SamplingOptions()


class Question(Struct, frozen=True):
    """What a user asks: words, attachments, and the prompt file that puts them into place.

    `variables` of the prompt file that were chosen. `system` replaces its system message;
    `language` is the one to answer in, by name ("" leaves it to the model). `candidates`
    answers are written.
    """

    prompt: PromptFile
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    sampling: SamplingChoices = SamplingChoices()
    variables: Mapping[str, str] = {}
    system: str = ""
    language: str = ""
    candidates: int = 1


def new_messages(
    question: Question,
    notes: Sequence[Note],
    known: Sequence[Message] | None,
    *,
    is_draft: bool = False,
) -> tuple[Message, ...]:
    """What is sent for a question after the messages `known`; None: it is the first.

    A first question brings the project's notes, unless its prompt is for plain text. A later one
    brings a system message only where that says what does not hold already. Raises `UsageError`
    as `PromptFile.fill` does.
    """
    filled = question.prompt.fill(
        question.text,
        question.attachments,
        question.variables,
        system=question.system,
        language=question.language,
        is_draft=is_draft,
    )
    if known is None:
        return _with_notes(filled, () if question.prompt.is_plain_text else notes)
    holds = {part.text.strip() for m in known if m.role is Role.SYSTEM for part in m.parts}
    messages = (_what_is_new(question, m, holds) for m in filled)
    return tuple(message for message in messages if message.parts)


def _with_notes(messages: Sequence[Message], notes: Sequence[Note]) -> tuple[Message, ...]:
    """At the end of the system message."""
    if not notes:
        return tuple(messages)
    head = [m for m in messages if m.role is Role.SYSTEM] or [Message(Role.SYSTEM, ())]
    parts = [*head[0].parts]
    for note in notes:
        parts.append(Part(f"{chr(10) * 2 if parts else ''}{_noted(note)}", note.name))
    first = replace(head[0], parts=tuple(parts))
    return (first, *(m for m in messages if m.role is not Role.SYSTEM))


def changed_notes(head: Sequence[Message], notes: Sequence[Note]) -> list[str]:
    """Names of the notes of which a conversation's head holds another text."""
    held = {part.source: part.text.strip() for m in head for part in m.parts}
    return [n.name for n in notes if held.get(n.name) not in (None, _noted(n).strip())]


def _noted(note: Note) -> str:
    return sentence("notes", name=note.name, text=note.text)


def _what_is_new(question: Question, message: Message, holds: set[str]) -> Message:
    """Of a system message: nothing where it holds already; a plain question does not change the
    one that the conversation began with, only the language."""
    if message.role is not Role.SYSTEM:
        return message
    new = [part for part in message.parts if part.text.strip() not in holds]
    if question.prompt.name == PLAIN and not question.system:
        new = [part for part in new if part.source == LANGUAGE]
    parts = message.parts if any(part.source != LANGUAGE for part in new) else tuple(new)
    if parts:
        parts = (replace(parts[0], text=parts[0].text.lstrip()), *parts[1:])
    return replace(message, parts=parts)


# ── what a question is called ───────────────────────────────────────────────────────────────


def names_of(question: Question) -> list[str]:
    """Of what is attached."""
    return [attachment.name for attachment in question.attachments]


def shown_text(question: Question) -> str:
    """What a person reads of it later: the words, behind the prompt's name and its files, as if
    they had been typed."""
    if question.prompt.name == PLAIN:
        return question.text
    chosen = [f"--{name} {value}" for name, value in question.variables.items()]
    words = [question.prompt.name, *chosen, *names_of(question)]
    said = [question.text] if question.text.strip() else []
    return " ".join([*words, *(["--"] if said and names_of(question) else []), *said])


def title_of(question: Question) -> str:
    """Its first line with words in it."""
    lines = (" ".join(line.split()) for line in shown_text(question).split("\n"))
    title = next(filter(None, lines), "") or " ".join(names_of(question))
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"


def user_text(messages: Sequence[Message]) -> str:
    """The user's messages as one text, for a model that cannot chat."""
    return "\n\n".join(message.text for message in messages if message.role is Role.USER)


def options_of(choices: SamplingChoices, default: SamplingOptions = DEFAULT) -> SamplingOptions:
    """The default where nobody has an opinion."""
    given = {
        name: value
        for name in ("temperature", "top_k", "top_p", "min_p", "repeat_penalty")
        if (value := getattr(choices, name)) is not None
    }
    return replace(default, **given)
