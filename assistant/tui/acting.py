"""What the commands want, done on the screen; in its thread."""

from functools import partial
from typing import TYPE_CHECKING

from assistant.chat_commands import saving
from assistant.chat_commands.effects import (
    AnswerAgain,
    Ask,
    AttachmentsChanged,
    Compact,
    ConversationChanged,
    CopyText,
    EditQuestion,
    Effect,
    Leave,
    Loading,
    ModelChanged,
    Say,
    ShowHistory,
    ShowTable,
    ThemeChosen,
    WriteFile,
)
from assistant.conversation.questions import Question, shown_text
from assistant.errors import AssistantError
from assistant.tui.screens.confirm import ConfirmScreen
from assistant.tui.themes import theme_of_terminal
from assistant.tui.turns import GiveBack, Wanted
from assistant.tui.widgets.question import Chip, QuestionView
from assistant.tui.widgets.table import TableView

if TYPE_CHECKING:
    from assistant.tui.screens.chat import ChatScreen


class Acting:
    """One method for each effect that is more than a line."""

    def __init__(self, screen: "ChatScreen") -> None:
        self._screen = screen

    def act(self, effect: Effect, give_back: GiveBack = None) -> None:
        """`give_back` returns to the user what was typed, should it be refused later."""
        screen = self._screen
        match effect:
            case Say(text):
                screen.say(markdown=text)
            case ShowTable(rows, title, right):
                screen.transcript.add(TableView(rows, title, right))
            case Ask(question, instead_of):
                self.ask(question, instead_of, give_back=give_back)
            case AnswerAgain(number, candidates):
                again = partial(screen.chat.again, number, candidates)
                screen.turns.send(Wanted(screen.alone(again), turns_back=True))
            case EditQuestion(question, number):
                screen.edit(question, number)
            case Compact(compaction):
                screen.turns.send(Wanted(None, lambda: compaction))
            case ConversationChanged():
                screen.show_conversation()
            case AttachmentsChanged():
                screen.show_attachments()
            case CopyText(text, what):
                screen.copy(text, what)
            case WriteFile():
                self._write(effect)
            case ThemeChosen(name):
                screen.app.theme = name or theme_of_terminal()
            case ShowHistory(query, _):
                screen.sidebar.open(query)
            case Loading(event):
                screen.telling.show_loading(event)
            case ModelChanged(name):
                screen.telling.show_model(name)
            case Leave():
                screen.leave()

    def ask(
        self,
        question: Question,
        instead_of: int | None = None,
        *,
        give_back: GiveBack = None,
    ) -> None:
        """Now, or after what is asked already."""
        chat, screen = self._screen.chat, self._screen
        chips = [Chip(one.name) for one in question.attachments]
        view = QuestionView(shown_text(question), chips, is_waiting=True)
        screen.turns.send(
            Wanted(
                screen.alone(partial(chat.ask, question, instead_of=instead_of)),
                screen.alone(partial(chat.compaction, question)),
                view=view,
                give_back=give_back,
                turns_back=instead_of is not None,
            )
        )

    def _write(self, effect: WriteFile) -> None:
        if not effect.question:
            self._written(effect)
            return

        def decided(is_yes: bool | None) -> None:
            if is_yes:
                self._written(effect)
            else:
                self._screen.say("nothing was written")

        screen = ConfirmScreen(effect.question, effect.proposal.shown)
        self._screen.app.push_screen(screen, decided)

    def _written(self, effect: WriteFile) -> None:
        try:
            self._screen.say(markdown=saving.write(effect.proposal))
        except AssistantError as err:
            self._screen.show_error(err)
