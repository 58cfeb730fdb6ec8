"""The chat: past and present messages, the text that is written, one line that tells the truth.

This screen only brings its parts together. Asking is turns.py, what commands want acting.py,
what is done about a message answer_actions.py, the status line telling.py, the list of past
conversations past.py.
"""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import ClassVar, TypeVar

from msgspec import Struct
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import Screen

from assistant.chat_commands.attached_once import attached_once
from assistant.chat_commands.chat import Chat
from assistant.chat_commands.commands import (
    complete,
    is_command,
    may_run_now,
    question_text,
    run_command,
)
from assistant.chat_commands.effects import Effect
from assistant.chat_commands.hints import chat_words, in_chat
from assistant.chat_commands.written_questions import written_question
from assistant.conversation.questions import Question
from assistant.conversation.records import Kind
from assistant.errors import AssistantError
from assistant.messages import Attachment
from assistant.model_store.local_models import STARTER
from assistant.rendering.conversation_facts import versions_of
from assistant.tui.acting import Acting
from assistant.tui.answer_actions import AnswerActions
from assistant.tui.collector import spare
from assistant.tui.copying import copy_text
from assistant.tui.drafts import measure_draft
from assistant.tui.driver import can_go_to_background
from assistant.tui.editing import edit_text
from assistant.tui.effects import Effects, loading_effects
from assistant.tui.keys import COMPOSER_KEYS, KEYS, MESSAGE_KEYS, all_keys, read_keys
from assistant.tui.links import ask_about_link
from assistant.tui.past import Past
from assistant.tui.screens.page import PageScreen
from assistant.tui.shell_lines import ShellLines
from assistant.tui.telling import LOADING, Telling
from assistant.tui.turns import LOOK_SECONDS, Turns, Wanted
from assistant.tui.welcome import welcome_to
from assistant.tui.widgets.composer import Composer
from assistant.tui.widgets.lines import ActionChosen, LinkChosen
from assistant.tui.widgets.notice import NoticeKind, NoticeView
from assistant.tui.widgets.question import QuestionView
from assistant.tui.widgets.sidebar import Sidebar
from assistant.tui.widgets.status_line import StatusLine
from assistant.tui.widgets.transcript import Transcript

MANY_MESSAGES = 500  # that the garbage collector would look through again and again
TWICE_SECONDS = 2.0  # between two Ctrl-C that leave

T = TypeVar("T")


class Start(Struct, frozen=True):
    """What the chat begins with: a question to ask at once, what it takes along, and whether the
    list of conversations is open."""

    question: str = ""
    attachments: tuple[Attachment, ...] = ()
    shows_history: bool = False


class ChatScreen(Screen[None]):
    """Knows a chat, and nothing of engines."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(key.keys, key.action, key.does, show=key.is_shown, id=name, priority=key.is_first)
        for name, key in KEYS.items()
    ]

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 # as Textual has it
    VERTICAL_BREAKPOINTS = [(0, "-low"), (8, "-high")]  # noqa: RUF012 # the same

    def __init__(self, chat: Chat, start: Start) -> None:
        super().__init__()
        self.chat = chat
        self._start = start
        self._alone = threading.RLock()  # a chat is for one thread at a time
        self._was_loaded = threading.Event()  # or could not be
        self._interrupted_at = -TWICE_SECONDS

    def compose(self) -> ComposeResult:
        yield Sidebar()
        with Vertical(id="talk"):
            yield Transcript()
            yield Composer(partial(complete, self.chat), self._count_tokens)
            yield StatusLine()

    def on_mount(self) -> None:
        self.transcript = self.query_one(Transcript)
        self.composer = self.query_one(Composer)
        self.status = self.query_one(StatusLine)
        self.sidebar = self.query_one(Sidebar)
        self.turns = Turns(self.transcript, self.status, self)
        self.acting = Acting(self)
        self._effects = Effects(self.call_soon, self.acting.act, self.show_error, self._on_done)
        self._actions = AnswerActions(self, self.acting)
        self._shell = ShellLines(self)
        self.telling = Telling(
            self.chat,
            self.status,
            self.composer,
            is_busy=lambda: self.turns.is_busy,
            running=lambda: self._shell.running,
            measure=self.alone(partial(measure_draft, self.chat)),
            call=self.call_soon,
        )
        self.past = Past(self, self.sidebar)
        self.set_interval(LOOK_SECONDS, self.turns.look)
        self.show_conversation()
        self.composer.focus()
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """The screen is there: now the model, and what was asked on the command line."""
        self.status.tell(state=LOADING, model=self.chat.settings.model or STARTER)
        self._effects.run(self._steps(self._load))
        self.chat.attachments = self._start.attachments
        self.show_attachments()
        if self._start.shows_history:
            self.sidebar.open()
        if self._start.question:
            self.send(self._start.question, ())

    def _load(self) -> Iterator[Effect]:
        try:
            yield from loading_effects(self.chat)
        finally:
            self._was_loaded.set()

    class Called(Message):
        """Something that a thread wants done in the screen's own."""

        def __init__(self, call: Callable[[], None]) -> None:
            super().__init__()
            self.call = call

    def call_soon(self, call: Callable[[], None]) -> None:
        """From any thread, which does not wait; calls are made in their order."""
        self.post_message(self.Called(call))

    @on(Called)
    def _make_call(self, event: Called) -> None:
        event.call()

    def alone(self, call: Callable[..., T]) -> Callable[..., T]:
        """The same call once there is a model; others that are wrapped so wait for its end."""

        def run(*arguments: object) -> T:
            self._was_loaded.wait()
            with self._alone:
                return call(*arguments)

        return run

    def _steps(self, effects: Callable[[], Iterator[Effect]]) -> Callable[[], Iterator[Effect]]:
        """The same for what is done step by step."""

        def run() -> Iterator[Effect]:
            with self._alone:
                yield from effects()

        return run

    # ── sending ─────────────────────────────────────────────────────────────────────────────

    @on(Composer.Submitted)
    def _take_text(self, event: Composer.Submitted) -> None:
        if is_command(event.text):
            self.run_line(event.text, event.pasted, is_typed=True)
        else:
            self.send(event.text, event.pasted)

    def send(self, text: str, pasted: tuple[Attachment, ...]) -> None:
        """Ask it, now or later."""
        attached = self.chat.attachments

        def give_back() -> None:
            self._give_back(text, pasted)
            self.chat.attachments = attached_once(attached, self.chat.attachments)
            self.show_attachments()

        try:
            written = written_question(self.chat, question_text(text), pasted)
        except AssistantError as err:
            give_back()
            self.show_error(err)
            return
        self.transcript.go_to_end()
        for notice in written.notices:
            self.say(notice, NoticeKind.WARNING)
        self.acting.ask(written.question, give_back=give_back)
        self.chat.attachments = ()
        self.show_attachments()

    def _give_back(self, text: str, pasted: tuple[Attachment, ...]) -> None:
        """What was refused, unless something else is written already."""
        if not self.composer.text:
            self.composer.set_text(text, (*pasted, *self.composer.attachments))

    def run_line(
        self, line: str, pasted: tuple[Attachment, ...] = (), *, is_typed: bool = False
    ) -> None:
        """A /command; while an answer is written only those that need not wait for it."""
        give_back = partial(self._give_back, line, pasted) if is_typed else None
        if self.turns.is_busy and not may_run_now(line):
            words = f"{line.split()[0]} has to wait for the answer; Esc stops it"
            self.status.say(words)
            if give_back is not None:
                give_back()
            return
        if is_typed:
            self.transcript.go_to_end()
        self._effects.run(self._steps(partial(run_command, self.chat, line, pasted)), give_back)

    def begin_line(self, line: str, *, keeps: bool = False) -> None:
        """It is for the user to go on with; `keeps`: with what is written already."""
        text = self.composer.text
        rest = text if keeps and not is_command(text) else ""
        self.composer.begin(line + rest)
        self.composer.focus()

    @on(Composer.ShellWanted)
    def _run_shell(self, event: Composer.ShellWanted) -> None:
        self._shell.run(event.command)

    @on(Composer.EditorWanted)
    def _open_editor(self, event: Composer.EditorWanted) -> None:
        try:
            self.composer.take_edited(event, edit_text(self.app, event.text))
        except AssistantError as err:
            self.show_error(err)

    @on(QuestionView.Removed)
    def _remove_question(self, event: QuestionView.Removed) -> None:
        self.turns.remove(event.view)

    # ── how it goes ─────────────────────────────────────────────────────────────────────────

    def on_turned_back(self, question: int) -> None:
        self.show_conversation(question)

    def on_ended(self, wanted: Wanted, error: AssistantError | None, *, was_asked: bool) -> None:
        if error is not None:
            self.show_error(error)
        if not was_asked:
            if wanted.view is not None:
                self.transcript.remove_view(wanted.view)
            wanted.give_back()
        self._on_done()
        if wanted.ask is None:
            self.telling.measure_rest()
        self.sidebar.renew()

    def _on_done(self) -> None:
        for notice in self.chat.new_notices():
            self.say(chat_words(notice), NoticeKind.WARNING)
        self.telling.rest()

    def edit(self, question: Question, number: int) -> None:
        """The text of an old question goes to the composer; sent, it is a version of it."""
        self.begin_line(f"/edit {number} {question.text}")

    # ── what is shown ───────────────────────────────────────────────────────────────────────

    def show_conversation(self, last: int | None = None) -> None:
        """All of it anew, up to the message with the number `last`: what comes after that is on
        its way already."""
        chat = self.chat
        numbers = [message.number for message in chat.messages]
        messages = chat.messages[: numbers.index(last) + 1 if last in numbers else None]
        self.transcript.clear()
        if chat.conversation is None:
            self.transcript.add(NoticeView(markdown=welcome_to(chat)))
        else:
            versions = versions_of(chat.store.messages(chat.conversation.name))
            self.transcript.show_history(messages, chat.conversation.name, versions)
        questions = [m.text for m in messages if m.kind is Kind.QUESTION]
        self.composer.set_history(questions)
        self.telling.show_usage(messages)
        self.telling.measure()
        self.sidebar.renew()
        self.past.show_sought()
        if len(messages) > MANY_MESSAGES:
            self.call_after_refresh(spare)

    def say(
        self, words: str = "", kind: NoticeKind = NoticeKind.FACT, *, markdown: str = ""
    ) -> None:
        self.transcript.add(NoticeView(words, kind, markdown))

    def show_error(self, error: AssistantError) -> None:
        said = in_chat(error)
        hint = f" ({said.hint})" if said.hint else ""
        self.say(f"{said.message}{hint}", NoticeKind.ERROR)

    def show_attachments(self) -> None:
        names = [one.name for one in self.chat.attachments]
        self.composer.border_subtitle = f"with {', '.join(names)}" if names else ""
        self.telling.measure()

    @on(Composer.Changed)
    def _measure(self) -> None:
        self.telling.measure()

    def _count_tokens(self, text: str) -> int | None:
        """For the picker, in a thread of its own."""
        try:
            return len(self.chat.engine.tokenize(text))
        except AssistantError:
            return None

    # ── messages and links ──────────────────────────────────────────────────────────────────

    @on(ActionChosen)
    def _act_on_message(self, event: ActionChosen) -> None:
        self._actions.do(event)

    @on(LinkChosen)
    def _ask_about_link(self, event: LinkChosen) -> None:
        ask_about_link(self, event.url)

    def copy(self, text: str, what: str) -> None:
        copy_text(self.app, text)
        self.status.say(f"copied {what}")

    # ── past conversations ──────────────────────────────────────────────────────────────────

    @on(Sidebar.Wanted)
    def _fill_sidebar(self, event: Sidebar.Wanted) -> None:
        self.past.fill(event.query)

    @on(Sidebar.Chosen)
    def _resume(self, event: Sidebar.Chosen) -> None:
        self._close_sidebar()
        self.past.choose(event)

    @on(Sidebar.Left)
    def _close_sidebar(self) -> None:
        self.sidebar.close()
        self.composer.focus()

    def action_sidebar(self) -> None:
        """Open the past conversations, or close them."""
        if self.sidebar.is_open:
            self._close_sidebar()
        else:
            self.sidebar.open()

    # ── keys ────────────────────────────────────────────────────────────────────────────────

    def action_stop(self) -> None:
        if self.sidebar.is_open:
            self._close_sidebar()
        elif not self._shell.stop() and not self.turns.stop():
            self.composer.focus()

    def action_interrupt(self) -> None:
        """Ctrl-C: what is selected is copied, what runs is stopped, twice leaves."""
        if selected := self.get_selected_text():
            self.copy(selected, "what is selected")
            self.clear_selection()
            return
        if self._shell.stop() or self.turns.stop():
            return
        is_second = time.monotonic() - self._interrupted_at < TWICE_SECONDS
        self._interrupted_at = time.monotonic()
        if is_second:
            self.leave()
        else:
            self.status.say("Ctrl+C once more leaves", TWICE_SECONDS)

    def action_move(self, step: int) -> None:
        """The cursor goes through the messages; down from the last one it is in the text."""
        self.transcript.move_cursor(step)

    @on(Transcript.Left)
    def _back_to_text(self) -> None:
        self.composer.focus()

    def action_page(self, step: int) -> None:
        self.transcript.scroll_page(step)

    def action_end(self) -> None:
        self.transcript.go_to_end()

    def action_new(self) -> None:
        self.run_line("/new")

    def action_regenerate(self) -> None:
        self.run_line("/regenerate")

    def action_copy(self) -> None:
        self.run_line("/copy")

    def action_help(self) -> None:
        sections = [
            ("where you write", COMPOSER_KEYS),
            ("anywhere", all_keys(read_keys(self.chat.settings.keys))),
            ("on a message or a code block", MESSAGE_KEYS),
        ]
        self.app.push_screen(PageScreen("Keys", sections))

    def action_suspend(self) -> None:
        if can_go_to_background():
            self.app.action_suspend_process()
        else:
            self.status.say("there is no shell to go back to")

    def action_leave(self) -> None:
        self.leave()

    def leave(self) -> None:
        self.turns.stop()
        self.app.exit(0)

    def settle(self, seconds: float) -> None:
        """For the end, from any thread: what was written is kept, what runs is ended."""
        if hasattr(self, "_shell"):  # else it never came to stand there
            self._shell.stop()
            self.turns.settle(seconds)
            self._shell.settle(seconds)
