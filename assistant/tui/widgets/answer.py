"""One answer in the transcript, while it is written and afterwards.

It is drawn as often as a person can see, and less when drawing is slow or nobody looks.
"""

import time
from collections.abc import Callable

from assistant.tui.widgets.answer_content import AnswerContent, Progress
from assistant.tui.widgets.lines import LineView, Watcher
from assistant.tui.widgets.rows import WHOLE, Action, Link

SHORTEST_REST = 0.05  # seconds between two redraws
REST_AFTER_WORK = 20  # seconds for each second that the last redraw took
ROWS_AHEAD = 3
REST_UNSEEN = 0.5  # seconds, when the end of the answer is not on the screen


class AnswerView(LineView):
    """`name` is the message's, `model` wrote it. Texts are as they came, nothing is made visible
    before.
    """

    content: AnswerContent

    def __init__(
        self,
        name: str = "",
        model: str = "",
        *,
        content: AnswerContent | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(content or AnswerContent(name, model, clock=clock))
        self._clock = clock
        self._next_redraw = 0.0
        self._is_waiting = False

    def twin(self) -> "AnswerView":
        return AnswerView(content=self.content, clock=self._clock)

    # ── what the engine tells ───────────────────────────────────────────────────────────────

    def show_progress(self, progress: Progress) -> None:
        """Until the first text."""
        self.content.progress = progress
        self._redraw_soon()

    def add(self, text: str) -> None:
        self.content.add(text)
        self._redraw_soon()

    def add_reasoning(self, text: str) -> None:
        self.content.add_reasoning(text)
        self._redraw_soon()

    def finish(self, text: str, reasoning: str = "", footer: str = "") -> None:
        """The answer as it is kept. `footer`: how it ended, how fast it was …; again where that
        has changed."""
        if self.content.finish(text, reasoning, footer):
            self._draw()
        else:
            self.lay_out_anew()

    # ── what the user does ──────────────────────────────────────────────────────────────────

    def enter(self) -> None:
        if self._link is None and self._cursor == WHOLE:
            self.unfold()
        else:
            super().enter()

    def unfold(self) -> None:
        """Show the reasoning, or no longer."""
        self.content.reasoning.is_open ^= True
        self._draw()

    def _choose(self, what: Action | Link, code: int) -> None:
        if what == Action.UNFOLD:
            self.unfold()
        else:
            super()._choose(what, code)

    def on_mount(self) -> None:
        self._redraw_soon()

    # ── drawing ─────────────────────────────────────────────────────────────────────────────

    def room_for(self, height: int) -> int:
        """Some rows ahead: arranging the whole screen costs more than drawing a row."""
        if self.is_finished:
            return height
        return self._height if height <= self._height else height + ROWS_AHEAD

    def _redraw_soon(self) -> None:
        if self._is_waiting or not self.is_mounted:
            return
        wait = self._next_redraw - time.monotonic()
        if wait <= 0:
            self._redraw()
        else:
            self._is_waiting = True
            self.set_timer(wait, self._redraw)

    def _redraw(self) -> None:
        self._is_waiting = False
        if self.is_finished:
            return
        started, first = time.thread_time(), self.content.first_new_row
        parent: object = self.parent
        is_seen = not isinstance(parent, Watcher) or parent.shows_from(self, first)
        self._draw(is_seen=is_seen)
        self._next_redraw = time.monotonic() + (SHORTEST_REST if is_seen else REST_UNSEEN)
        self.call_after_refresh(self._rest, started)

    def _draw(self, *, is_seen: bool = True) -> None:
        first = self.content.first_new_row
        self.content.catch_up(has_tail=is_seen)
        self.rows_changed(min(first, self.content.first_new_row))

    def _rest(self, started: float) -> None:
        """With what the screen needed to draw it."""
        work = time.thread_time() - started
        self._next_redraw = max(self._next_redraw, time.monotonic() + REST_AFTER_WORK * work)
