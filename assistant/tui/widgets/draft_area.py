"""The text that is being written: an editor with the keys of a shell and of a chat.

What Enter, a paste or a walk through earlier questions means is its owner's business, which is
called at once: a message would come after the keys that were typed behind it.
"""

import re
import unicodedata
from typing import ClassVar, Protocol

from rich.text import Text
from textual import events
from textual.actions import SkipAction
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.geometry import Size
from textual.widgets import TextArea

from assistant.tui.stand_ins import StandIns

MOST_ROWS = 8
TAB_WIDTH = 4
PUNCTUATION = ":,.;)?!"  # takes the place of the blank that completion put behind a name
NO_TEXT = ("Cc", "Cs")  # categories of characters that no key writes


def _keys(keys: str, action: str) -> Binding:
    return Binding(keys, action, show=False)


class DraftOwner(Protocol):
    """Who has a draft, and decides."""

    def take_key(self, key: str) -> bool:
        """Asked first about each key: whether it is done with."""

    def send(self) -> None: ...

    def walk(self, *, is_older: bool) -> None:
        """Up in the first row, or Down in the last: to the question before, or after."""

    def take_paste(self, text: str) -> None: ...

    def put_aside(self, text: str) -> None:
        """Ctrl+C has cleared the text, which was this."""

    def open_editor(self) -> None: ...

    def leave_backwards(self) -> None:
        """Backspace where nothing stands before the cursor."""


class DraftArea(TextArea):
    DEFAULT_CSS = """
    DraftArea {
        height: auto;
        max-height: 34vh;
        border: none;
        padding: 0;
        background: transparent;
        scrollbar-size-vertical: 1;
        &:focus { border: none; }
        & .draft-area--hidden { color: $warning; text-style: reverse; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {"draft-area--hidden"}
    BINDINGS: ClassVar[list[BindingType]] = [
        _keys("up", "older"),
        _keys("down", "newer"),
        _keys("ctrl+j,shift+enter,alt+enter", "new_line"),
        _keys("ctrl+c,super+c", "copy_or_clear"),
        _keys("ctrl+d", "delete_or_leave"),
        _keys("ctrl+g", "open_editor"),
        _keys("ctrl+w", "delete_to_blank"),
        _keys("ctrl+y,super+y,ctrl+shift+z", "redo_or_skip"),
        _keys("ctrl+underscore", "undo"),
        _keys("alt+b,alt+left", "cursor_word_left"),
        _keys("alt+f,alt+right", "cursor_word_right"),
        _keys("alt+d", "delete_word_right"),
        _keys("pageup,pagedown", "skip"),
    ]

    def __init__(self, owner: DraftOwner, placeholder: str = "") -> None:
        self._stand_ins = StandIns()
        super().__init__(placeholder=Content(placeholder), highlight_cursor_line=False)
        self._owner = owner
        self._loose_blank: tuple[int, int] | None = None
        self.is_typed = False  # what was changed last was changed by a key
        self.cursor_blink = False  # twice a second is too often for a cursor
        self.match_cursor_bracket = False

    # ── the text ────────────────────────────────────────────────────────────────────────────

    @property
    def written(self) -> str:
        """As it was typed and pasted; `text` has other characters for hidden ones."""
        return self._stand_ins.take_back(self.text)

    @property
    def before_cursor(self) -> str:
        return self._stand_ins.take_back(self.get_text_range((0, 0), self.cursor_location))

    @property
    def after_cursor(self) -> str:
        end = self.document.end
        return self._stand_ins.take_back(self.get_text_range(self.cursor_location, end))

    def put(self, text: str, *, replacing: int = 0) -> None:
        """At the cursor, in place of the selection and of so many characters before it."""
        start, end = sorted(self.selection)
        if replacing:
            before = self.get_text_range((0, 0), start)
            kept = before[: len(before) - replacing]
            start = (kept.count("\n"), len(kept) - kept.rfind("\n") - 1)
        self.is_typed = False
        result = self.replace(
            self._stand_ins.put(text), start, end, maintain_selection_offset=False
        )
        self.move_cursor(result.end_location)

    def put_all(self, text: str) -> None:
        """In place of everything; can be undone."""
        self.selection = self.selection.cursor((0, 0))
        self.history.checkpoint()
        self.is_typed = False
        self.replace(
            self._stand_ins.put(text), (0, 0), self.document.end, maintain_selection_offset=False
        )
        self.move_cursor(self.document.end)

    def start_anew(self) -> None:
        """Nothing is written, and nothing can be undone."""
        self.is_typed = False
        self.load_text("")

    def expect_punctuation(self) -> None:
        """The blank before the cursor goes if punctuation is typed next."""
        self._loose_blank = self.cursor_location

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return min(super().get_content_height(container, viewport, width), MOST_ROWS)

    def get_line(self, line_index: int) -> Text:
        style = self.get_component_rich_style("draft-area--hidden")
        return self._stand_ins.show(self.document.get_line(line_index), style)

    # ── keys ────────────────────────────────────────────────────────────────────────────────

    async def _on_key(self, event: events.Key) -> None:
        """Actions run here and now: where Textual runs them, a letter that was typed behind them
        would come first."""
        if self._owner.take_key(event.key) or self._is_done(event) or await self._acts(event):
            event.stop()
            event.prevent_default()
        elif event.is_printable and event.character is not None:
            self._close_up(event.character)
            self.is_typed = True

    async def _acts(self, event: events.Key) -> bool:
        for key in event.aliases:
            for binding in self._bindings.key_to_bindings.get(key, ()):
                self.is_typed = False
                if await self.app.run_action(binding.action, self):
                    return True
        return False

    def _is_done(self, event: events.Key) -> bool:
        """Whether the key is one of those that mean something else to a chat than to an editor."""
        match event.key:
            case "enter":
                self._owner.send()
            case "tab":
                self._indent()
            case "backspace" if self.cursor_at_start_of_text and self.selection.is_empty:
                self._owner.leave_backwards()
            case "backspace" | "delete":
                self.is_typed = True
                return False
            case _:
                return self._write_odd(event)
        return True

    def _write_odd(self, event: events.Key) -> bool:
        """Blanks and joiners of other scripts, which Textual takes for control characters."""
        letter = event.character
        if letter is None or event.is_printable or unicodedata.category(letter) in NO_TEXT:
            return False
        self.put(letter)
        return True

    def _indent(self) -> None:
        """To the next stop; where nothing is written, Tab would only be an accident."""
        if self.text:
            row, column = self.cursor_location
            width = self.get_column_width(row, column)
            self.put(" " * (TAB_WIDTH - width % TAB_WIDTH))

    def _close_up(self, letter: str) -> None:
        is_loose = self._loose_blank == self.cursor_location and self.selection.is_empty
        self._loose_blank = None
        if is_loose and letter in PUNCTUATION:
            row, column = self.cursor_location
            self.delete((row, column - 1), (row, column), maintain_selection_offset=False)

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self._owner.take_paste(event.text)

    def action_paste(self) -> None:
        self._owner.take_paste(self.app.clipboard)

    def action_new_line(self) -> None:
        self.put("\n")

    def action_older(self) -> None:
        if self._row == 0:
            self._owner.walk(is_older=True)
        else:
            self.action_cursor_up()

    def action_newer(self) -> None:
        if self._row >= self.wrapped_document.height - 1:
            self._owner.walk(is_older=False)
        else:
            self.action_cursor_down()

    @property
    def _row(self) -> int:
        """Of the cursor, in rows of the screen."""
        return self.wrapped_document.location_to_offset(self.cursor_location).y

    def action_copy_or_clear(self) -> None:
        if not self.selection.is_empty:
            self.action_copy()
        elif self.text and not self.screen.get_selected_text():
            self._owner.put_aside(self.written)
            self.put_all("")
        else:
            raise SkipAction

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(self._stand_ins.take_back(self.selected_text))

    def action_cut(self) -> None:
        if not self.selection.is_empty:
            self.action_copy()
            self.put("")

    def action_delete_or_leave(self) -> None:
        if not self.text:
            raise SkipAction
        self.action_delete_right()

    def action_delete_to_blank(self) -> None:
        """As a shell does it: a path goes as a whole."""
        if not self.selection.is_empty:
            self.put("")
            return
        row, column = self.cursor_location
        before = self.document.get_line(row)[:column]
        kept = before.rstrip()
        kept = kept[: len(kept) - len(re.split(r"\s", kept)[-1])]
        if before:
            self.put("", replacing=len(before) - len(kept))
        else:
            self.action_delete_left()

    def action_redo_or_skip(self) -> None:
        if not self.history.redo_stack:
            raise SkipAction
        self.redo()

    def action_open_editor(self) -> None:
        self._owner.open_editor()

    def action_skip(self) -> None:
        """Somebody else's keys."""
        raise SkipAction
