"""Where a message is written: the text, long pastes as labels, and a picker for @files and
/commands.

It knows no engine and no conversation: it is given what completes and counts, and tells what was
sent.
"""

from collections.abc import Sequence
from typing import Self

from msgspec.structs import replace
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.timer import Timer

from assistant.attachments.measuring import CountTokens
from assistant.messages import Attachment
from assistant.tui.command_choices import CompleteCommands
from assistant.tui.completing import SHELL, Completing
from assistant.tui.recall import Recall
from assistant.tui.widgets.draft_area import DraftArea
from assistant.tui.widgets.pasted_row import PastedRow
from assistant.tui.widgets.picker import Picker

PLACEHOLDER = "Ask about your code. @ attaches, / commands, ! runs"
PAUSE_SECONDS = 0.15  # without a key before a change is told
LONGEST_PASTE = 2_000  # characters that stay text
MOST_PASTED_LINES = 20
LONGEST_TEXT = 20_000  # characters that can be edited; more becomes a label, wherever it is from


class Composer(Vertical):
    """`complete_commands` gets the line up to the cursor, `count_tokens` a text; both are called
    in a thread. `count_tokens` gives None while nobody can count.
    """

    DEFAULT_CSS = """
    Composer {
        height: auto;
        border: round $border-blurred;
        border-title-color: $warning;
        padding: 0 1;
        &:focus-within { border: round $border; }
        &.-shell { border: round $warning; }
    }
    """

    class Submitted(Message):
        """`text` as it was written, with its mentions; `pasted` are the long pastes."""

        def __init__(self, text: str, pasted: tuple[Attachment, ...]) -> None:
            super().__init__()
            self.text = text
            self.pasted = pasted

    class Changed(Message):
        """Nothing was typed for a moment, and this is what there is."""

        def __init__(self, text: str, pasted: tuple[Attachment, ...]) -> None:
            super().__init__()
            self.text = text
            self.pasted = pasted

    class ShellWanted(Message):
        """`!command` was sent."""

        def __init__(self, command: str) -> None:
            super().__init__()
            self.command = command

    class EditorWanted(Message):
        """`text` is to be edited elsewhere, and then goes to `Composer.take_edited`."""

        def __init__(self, text: str, pasted_name: str = "") -> None:
            super().__init__()
            self.text = text
            self.pasted_name = pasted_name

    class _News(Message):
        """There may be more choices than before."""

    def __init__(
        self,
        complete_commands: CompleteCommands = lambda _line: (),
        count_tokens: CountTokens = lambda _text: None,
        placeholder: str = PLACEHOLDER,
    ) -> None:
        super().__init__()
        self._picker = Picker()
        self._row = PastedRow()
        self._draft = DraftArea(self, placeholder)
        self._completing = Completing(
            self._draft,
            self._picker,
            complete_commands,
            count_tokens,
            self._tell_news,
        )
        self._recall = Recall()
        self._pasted: list[Attachment] = []
        self._pastes = 0
        self._pause: Timer | None = None

    def compose(self) -> ComposeResult:
        yield self._picker
        yield self._row
        yield self._draft

    def on_unmount(self) -> None:
        self._completing.stop()

    # ── what there is ───────────────────────────────────────────────────────────────────────

    @property
    def text(self) -> str:
        return self._draft.written

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """The long pastes."""
        return tuple(self._pasted)

    @property
    def is_picking(self) -> bool:
        """Whether Escape would close the picker."""
        return self._picker.is_open

    def set_text(self, text: str, pasted: Sequence[Attachment] = ()) -> None:
        """In place of everything: what was refused, or is to be changed. Can be undone."""
        self._pasted = list(pasted)
        self._put_all(text)
        self._show_pasted()

    def begin(self, text: str) -> None:
        """In place of everything, as if it had been typed; Up leads back to what was there."""
        self._recall.done(self.text)
        self._put_all(text)
        self._draft.is_typed = True

    def insert(self, text: str) -> None:
        """At the cursor, with all its lines."""
        if len(self.text) + len(text) > LONGEST_TEXT:
            self._add_paste(text)
        else:
            self._draft.put(text)

    def set_history(self, questions: Sequence[str]) -> None:
        """What Up goes back to, oldest first."""
        self._recall.set(questions)

    def take_edited(self, wanted: EditorWanted, text: str) -> None:
        """What came back from an editor; nothing of a paste removes it."""
        text = text.removesuffix("\n")
        if not wanted.pasted_name:
            self._put_all(text)
        else:
            changed = [
                replace(one, text=text) if one.name == wanted.pasted_name else one
                for one in self._pasted
            ]
            self._pasted = [one for one in changed if one.text.strip()]
            self._show_pasted()
        self.focus()

    def focus(self, scroll_visible: bool = True) -> Self:
        self._draft.focus(scroll_visible)
        return self

    # ── what is typed ───────────────────────────────────────────────────────────────────────

    def take_key(self, key: str) -> bool:
        return self._completing.take_key(key)

    def walk(self, *, is_older: bool) -> None:
        go = self._recall.older if is_older else self._recall.newer
        text = go(self.text)
        if text is not None:
            self._draft.put_all(text)

    def put_aside(self, text: str) -> None:
        self._recall.done(text)

    def open_editor(self) -> None:
        self.post_message(self.EditorWanted(self.text))

    def leave_backwards(self) -> None:
        if self._pasted:
            self._row.focus()

    @on(DraftArea.Changed)
    def _note_change(self, event: DraftArea.Changed) -> None:
        event.stop()
        is_shell = self.text.startswith(SHELL)
        self.set_class(is_shell, "-shell")
        self.border_title = "shell" if is_shell else ""
        self._completing.text_changed()
        self._tell_soon()

    @on(DraftArea.SelectionChanged)
    def _note_cursor(self, event: DraftArea.SelectionChanged) -> None:
        event.stop()
        self._completing.cursor_moved()

    def _tell_news(self) -> None:
        """Called in a thread."""
        self.post_message(self._News())

    @on(_News)
    def _take_news(self, event: _News) -> None:
        event.stop()
        self._completing.news_came()

    @on(Picker.Clicked)
    def _take_clicked(self, event: Picker.Clicked) -> None:
        event.stop()
        self._completing.take()
        self.focus()

    # ── sending ─────────────────────────────────────────────────────────────────────────────

    def send(self) -> None:
        text = self.text.rstrip()
        command = text.removeprefix(SHELL).strip() if text.startswith(SHELL) else ""
        if command:
            self.post_message(self.ShellWanted(command))
        elif text.startswith(SHELL) or not (text or self._pasted):
            return
        else:
            self.post_message(self.Submitted(text, self.attachments))
            self._pasted.clear()
            self._show_pasted()
        self._recall.done(text)
        self._completing.close()
        self._draft.start_anew()

    def _tell_soon(self) -> None:
        """When nothing is typed for a moment."""
        if self._pause is not None:
            self._pause.stop()
        self._pause = self.set_timer(PAUSE_SECONDS, self._tell)

    def _tell(self) -> None:
        self._pause = None
        self.post_message(self.Changed(self.text, self.attachments))

    # ── pastes ──────────────────────────────────────────────────────────────────────────────

    def take_paste(self, text: str) -> None:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if len(text) > LONGEST_PASTE or text.count("\n") > MOST_PASTED_LINES:
            self._add_paste(text)
        else:
            self.insert(text)

    @on(PastedRow.Removed)
    def _remove(self, event: PastedRow.Removed) -> None:
        event.stop()
        del self._pasted[event.index]
        self._show_pasted()
        if not self._pasted:
            self.focus()

    @on(PastedRow.Opened)
    def _open(self, event: PastedRow.Opened) -> None:
        event.stop()
        pasted = self._pasted[event.index]
        self.post_message(self.EditorWanted(pasted.text, pasted.name))

    @on(PastedRow.Left)
    def _back_to_text(self, event: PastedRow.Left) -> None:
        event.stop()
        self.focus()
        if event.letter:
            self._draft.put(event.letter)

    def _put_all(self, text: str) -> None:
        if len(text) > LONGEST_TEXT:
            self._draft.put_all("")
            self._add_paste(text)
        else:
            self._draft.put_all(text)

    def _add_paste(self, text: str) -> None:
        self._pastes += 1
        self._pasted.append(Attachment(f"pasted text {self._pastes}", text, ""))
        self._show_pasted()

    def _show_pasted(self) -> None:
        self._row.show(self._pasted)
        self._tell_soon()
