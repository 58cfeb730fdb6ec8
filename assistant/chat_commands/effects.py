"""What a command wants of whoever shows the chat: small facts, matched on by the front end."""

from msgspec import Struct

from assistant.conversation.compaction import Compaction
from assistant.conversation.questions import Question
from assistant.edits.proposal import Proposal
from assistant.events import ModelLoading


class Say(Struct, frozen=True):
    """Markdown of our own; what others wrote stands in it as code."""

    text: str


class ShowTable(Struct, frozen=True):
    """Rows of plain words, the columns `right` ending at the same cell; no cell is markup."""

    rows: tuple[tuple[str, ...], ...]
    title: str = ""
    right: tuple[int, ...] = ()


class Ask(Struct, frozen=True):
    """Ask it, as another version of the question `instead_of` if there is one."""

    question: Question
    instead_of: int | None = None


class AnswerAgain(Struct, frozen=True):
    """So many more answers to the question `number`."""

    number: int
    candidates: int = 1


class EditQuestion(Struct, frozen=True):
    """Let the user change the text, and ask the question with it instead of `number`."""

    question: Question
    number: int


class Compact(Struct, frozen=True):
    """A summary is on its way: it has to be read."""

    compaction: Compaction


class ConversationChanged(Struct, frozen=True):
    """Another one, or another branch of it: what is shown of it is shown anew."""


class AttachmentsChanged(Struct, frozen=True):
    """Those of the next question."""


class CopyText(Struct, frozen=True):
    """Into the clipboard; `what` says what it is."""

    text: str
    what: str


class WriteFile(Struct, frozen=True):
    """`saving.write` writes it, once somebody has said yes to `question`; "": nobody need be
    asked, as the file is new."""

    proposal: Proposal
    question: str = ""


class ThemeChosen(Struct, frozen=True):
    name: str


class ShowHistory(Struct, frozen=True):
    """Past conversations, or of them what holds the words; `table` for who has no place for it."""

    query: str
    table: ShowTable


class Loading(Struct, frozen=True):
    """A model is being loaded: who reads no further gives it up, and the old one stays."""

    event: ModelLoading


class ModelChanged(Struct, frozen=True):
    name: str


class Leave(Struct, frozen=True):
    """The chat is over."""


Effect = (
    Say
    | ShowTable
    | Ask
    | AnswerAgain
    | EditQuestion
    | Compact
    | ConversationChanged
    | AttachmentsChanged
    | CopyText
    | WriteFile
    | ThemeChosen
    | ShowHistory
    | Loading
    | ModelChanged
    | Leave
)
