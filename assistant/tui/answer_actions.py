"""What a user may want of a message or a code block: mostly the command that does it."""

from typing import TYPE_CHECKING

from assistant.chat_commands import saving
from assistant.conversation.message_names import split_name
from assistant.conversation.records import Kind
from assistant.edits.proposal import propose_file, propose_text
from assistant.errors import AssistantError
from assistant.prompts.contents import fence
from assistant.tui.acting import Acting
from assistant.tui.screens.ask_line import AskLineScreen
from assistant.tui.widgets.lines import ActionChosen, LineView
from assistant.tui.widgets.rows import Action, CodeBlock

if TYPE_CHECKING:
    from assistant.tui.screens.chat import ChatScreen

COMMANDS = {
    Action.REGENERATE: "regenerate",
    Action.EDIT: "edit",
    Action.FORK: "fork",
    Action.DETAILS: "details",
}


class AnswerActions:
    """In the screen's thread."""

    def __init__(self, screen: "ChatScreen", acting: Acting) -> None:
        self._screen = screen
        self._acting = acting

    def do(self, event: ActionChosen) -> None:
        view, code = event.view, event.code
        text = code.text if code is not None else view.text
        match event.action:
            case Action.COPY:
                self._screen.copy(text, "the code" if code is not None else "the message")
            case Action.INSERT:
                self._screen.composer.insert(text)
                self._screen.composer.focus()
            case Action.SAVE:
                self._save(text, code)
            case Action.ALTERNATIVES:
                self._show_next_version(view)
            case action if action in COMMANDS and (number := split_name(view.name).number):
                self._screen.run_line(f"/{COMMANDS[action]} {self._target(action, number)}")

    def _target(self, action: Action, number: int) -> int:
        """The question of an answer that is wanted again, the answer to a question whose details
        are, and else the message itself."""
        messages = self._screen.chat.messages
        if action is Action.REGENERATE:
            return next((m.parent for m in messages if m.number == number), number)
        if action is Action.DETAILS:
            answers = [m for m in messages if m.parent == number and m.kind is Kind.ANSWER]
            return answers[0].number if answers else number
        return number

    def _save(self, text: str, code: CodeBlock | None) -> None:
        def named(file: str | None) -> None:
            if not file:
                return
            try:
                proposal = (
                    propose_text(file, text.rstrip("\n") + "\n")
                    if code is None
                    else propose_file(file, fence(code.text, code.language))
                )
                self._acting.act(saving.writing_of(proposal))
            except AssistantError as err:
                self._screen.show_error(err)

        self._screen.app.push_screen(AskLineScreen("save to which file?"), named)

    def _show_next_version(self, view: LineView) -> None:
        """The other answers to the same question, one at a time; a new one where there is none."""
        conversation, number = self._screen.chat.conversation, split_name(view.name).number
        if conversation is None or number is None:
            return
        versions = self._screen.chat.store.versions(conversation.name, number)
        if len(versions) < 2:
            self._screen.run_line(f"/regenerate {self._target(Action.REGENERATE, number)}")
            return
        following = versions[(versions.index(number) + 1) % len(versions)]
        self._screen.run_line(f"/resume {conversation.name}.{following}")
