"""The messages of a conversation, of which only those near the screen are widgets; others are made
when somebody scrolls to them.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import takewhile

from textual.app import ComposeResult
from textual.geometry import Region
from textual.timer import Timer

from assistant.conversation.message_names import join_name
from assistant.conversation.records import StoredMessage
from assistant.tui.widgets.later import Later
from assistant.tui.widgets.lines import LineView
from assistant.tui.widgets.places import BATCH, MOST, Place, Places
from assistant.tui.widgets.steady_scroll import SteadyScroll
from assistant.tui.widgets.stored_views import Versions, view_of

FIRST_MESSAGES = 20  # that are shown of a conversation
URGENT_PAGES = 0.5  # messages that are nearer to what is on the screen are shown at once,
PAGES_AHEAD = 1.5  # those that are nearer than this when the user rests
PATIENCE_SECONDS = 0.06
BREATH_SECONDS = 0.01  # between two batches, for keys


class MessageList(SteadyScroll):
    """Views are added at the end."""

    DEFAULT_CSS = """
    MessageList { height: 1fr; layers: base above; align-horizontal: right; }
    """

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 # as Textual calls it
        super().__init__(id=id)
        self.places = Places()
        self._was_following = True
        self._waiting: Timer | None = None
        self._seen: tuple[LineView, int] | None = None  # the last message when the end was left

    def compose(self) -> ComposeResult:
        yield Later()

    # ── what is in it ───────────────────────────────────────────────────────────────────────

    def add(self, view: LineView) -> None:
        """Behind the last message."""
        self.places.append(view)
        self.mount(view)
        self._say_what_is_later()

    def show_history(
        self,
        messages: Sequence[StoredMessage],
        conversation: str = "",
        versions: Versions | None = None,
    ) -> None:
        """These instead of everything, and the last of them on the screen; `conversation` is the
        name of the one they belong to."""
        self.clear()
        self.places = Places(
            Place(
                join_name(conversation, message.number),
                partial(view_of, message, conversation, versions or {}),
            )
            for message in messages
        )
        self.go_to_end()

    def clear(self) -> None:
        self._remove(self.places.forget(0))
        self.follow()

    def view(self, name: str) -> LineView | None:
        """The message with this name, if it is a widget at the moment."""
        return next((view for view in self.places.shown if view.name == name), None)

    def remove_view(self, view: LineView) -> None:
        """Such as a question that will not be asked."""
        at = self.places.index_of(view)
        if at is not None:
            self._remove(self.places.forget(at, at + 1))

    def remove_from(self, name: str) -> None:
        """The message with this name and all that come after it."""
        at = self.places.index(name)
        if at is not None:
            self._remove(self.places.forget(at))
            self.go_to_end()

    @property
    def last_view(self) -> LineView | None:
        shown = self.places.shown
        return shown[-1] if shown else None

    def _remove(self, views: Sequence[LineView]) -> None:
        for view in views:
            view.remove()
        self._say_what_is_later()

    # ── going somewhere ─────────────────────────────────────────────────────────────────────

    def go_to_end(self) -> None:
        """The last message, and it stays on the screen while it grows."""
        count = len(self.places)
        if self.places.later or not self.places.shown:
            self.show_places(max(0, count - FIRST_MESSAGES), count)
        self.follow()
        self.call_after_refresh(self._show_more_soon)

    def go_to_start(self) -> None:
        if self.places.first:
            self.show_places(0, min(FIRST_MESSAGES, len(self.places)))
        if shown := self.places.shown:
            self.hold(shown[0])
            self.call_after_refresh(self._show_more_soon)

    def go_to(self, name: str) -> LineView | None:
        """The message with this name at the top; None: there is no such one."""
        at = self.places.index(name)
        if at is None:
            return None
        if not self.places.first <= at < self.places.last:
            last = min(len(self.places), at + FIRST_MESSAGES // 2)
            self.show_places(max(0, last - FIRST_MESSAGES), last)
        view = self.places.shown[at - self.places.first]
        self.hold(view)
        self.call_after_refresh(self._show_more_soon)
        return view

    def scroll_page(self, step: int) -> None:
        """A page up (-1) or down (1)."""
        height = self.scrollable_content_region.height
        self.scroll_to(y=self.scroll_y + step * max(1, height - 1), animate=False, immediate=True)

    # ── the messages that are widgets ───────────────────────────────────────────────────────

    def scrolled(self) -> None:
        self._show_more_soon()
        self._note_end()

    @property
    def has_end(self) -> bool:
        return not self.places.later

    def _show_more_soon(self) -> None:
        """Ahead of the reader when nothing else is to be done, at once when it is urgent."""
        if self._missing(URGENT_PAGES):
            self.call_after_refresh(self._show_more)
        elif self._missing(PAGES_AHEAD):
            self._show_more_in(PATIENCE_SECONDS)

    def _show_more_in(self, seconds: float) -> None:
        if self._waiting is not None:
            self._waiting.stop()
        self._waiting = self.set_timer(seconds, self._show_more)

    def _missing(self, pages: float) -> int:
        """-1: there are messages that are not shown less than so many pages above; 1: below."""
        reach = pages * self.container_size.height
        if self.places.first and self.scroll_y < reach:
            return -1
        return 1 if self.places.later and self.max_scroll_y - self.scroll_y < reach else 0

    def _show_more(self) -> None:
        """Again and again, until there is enough on both sides of the screen."""
        first, last = self.places.first, self.places.last
        match self._missing(PAGES_AHEAD):
            case -1:
                self.show_places(max(0, first - BATCH), last - self._far_below())
            case 1:
                self.show_places(first + self._far_above(), min(len(self.places), last + BATCH))
            case _:
                return
        self._show_more_in(BREATH_SECONDS)

    def _far_above(self) -> int:
        """So many of the first messages nobody misses."""
        limit = self.scroll_y - PAGES_AHEAD * self.container_size.height
        return self._count_while(self.places.shown, lambda region: region.bottom < limit)

    def _far_below(self) -> int:
        """So many of the last ones."""
        limit = self.scroll_y + (1 + PAGES_AHEAD) * self.container_size.height
        return self._count_while(self.places.shown[::-1], lambda region: region.y > limit)

    def _count_while(self, views: Sequence[LineView], is_far: Callable[[Region], bool]) -> int:
        """Enough of them stay."""
        may_go = views[: max(0, len(views) + BATCH - MOST)]
        regions = (self.region_of(view) for view in may_go)
        return sum(1 for _ in takewhile(lambda r: r is not None and is_far(r), regions))

    def show_places(self, first: int, last: int) -> None:
        change = self.places.show(first, last)
        for views, before in change.mounted:
            self.mount_all(views, before=before)
        self._remove(change.removed)

    # ── what is not on the screen ───────────────────────────────────────────────────────────

    def arranged(self) -> None:
        self._note_end()

    def _note_end(self) -> None:
        """What was seen when the end was left is where counting begins."""
        if self.is_following or self._was_following:
            self._mark_seen()
        if not (self.is_following and self._was_following):
            self.call_later(self._say_what_is_later)
        self._was_following = self.is_following

    def _mark_seen(self) -> None:
        last = self.last_view
        self._seen = None if last is None else (last, last.content.height)

    def _say_what_is_later(self) -> None:
        if self.is_mounted:
            self.query_one(Later).words = "" if self.is_following else self._later_words()

    def _later_words(self) -> str:
        if later := self.places.later:
            return f"↓ {later:,} later message{'s' * (later != 1)}"
        new = self._new_rows()
        return f"↓ {new:,} new line{'s' * (new != 1)}" if new > 0 else ""

    def _new_rows(self) -> int:
        """Rows that have come since the end was left."""
        shown = self.places.shown
        if self._seen is None or self._seen[0] not in shown:
            return 0
        last, height = self._seen
        return sum(view.content.height for view in shown[shown.index(last) :]) - height

    def on_later_chosen(self, event: Later.Chosen) -> None:
        event.stop()
        self.go_to_end()
