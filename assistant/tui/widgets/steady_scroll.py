"""A scrolling list that keeps the reader's place: at the end it follows what is added; elsewhere
the same row stays at the top, whatever is added, removed or laid out anew above or below.
"""

from textual.containers import VerticalScroll
from textual.geometry import NULL_REGION, Region, Size
from textual.layout import DockArrangeResult
from textual.reactive import Reactive
from textual.widget import Widget


class SteadyScroll(VerticalScroll):
    BLANK = True  # it draws nothing itself

    DEFAULT_CSS = """
    SteadyScroll {
        overflow-y: scroll;
        overflow-x: hidden;
        scrollbar-size-vertical: 1;
    }
    """

    # The scroll bar is always there, so another size of the list needs no second layout.
    virtual_size = Reactive(Size(0, 0), repaint=False)

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 # as Textual calls it
        super().__init__(id=id)
        self._is_following = True
        self._held: tuple[Widget, float] | None = None  # at the top, and rows of it above that
        self._regions: dict[Widget, Region] = {}
        self._bottom = 0  # row behind the last one

    @property
    def is_following(self) -> bool:
        """Whether the end is on the screen and stays there."""
        return self._is_following

    @property
    def has_end(self) -> bool:
        """Whether what it shows last is the last there is; for subclasses."""
        return True

    def follow(self) -> None:
        """Go to the end and stay there."""
        self._is_following = True
        self.refresh(layout=True)

    def hold(self, view: Widget, rows_above: float = 0) -> None:
        """The top of this is at the top of the screen from the next layout on."""
        self._is_following = False
        self._held = (view, rows_above)
        self.refresh(layout=True)

    def region_of(self, view: Widget) -> Region | None:
        """In rows of the whole list; None before it was laid out."""
        return self._regions.get(view)

    def shows_from(self, view: Widget, row: int) -> bool:
        """Whether something of its row with this index, or of a later one, can be seen."""
        region = self._regions.get(view)
        if region is None:
            return self._is_following
        top, bottom = self.scroll_y, self.scroll_y + self.container_size.height
        return region.y + row < bottom and region.bottom > top

    def shows(self, view: Widget) -> bool:
        """Whether some of it is on the screen."""
        region = self._regions.get(view, NULL_REGION)
        top, bottom = self.scroll_y, self.scroll_y + self.container_size.height
        return region.y < bottom and region.bottom > top

    def scrolled(self) -> None:
        """The user has moved; for subclasses."""

    def arranged(self) -> None:
        """Something has another place or size; for subclasses, in the middle of a layout."""

    # ── keeping the place ───────────────────────────────────────────────────────────────────

    def arrange(self, size: Size, optimal: bool = False) -> DockArrangeResult:
        arrangement = super().arrange(size, optimal)
        if size.height:
            listed = [placed for placed in arrangement.placements if not placed.fixed]
            self._regions = {placed.widget: placed.region for placed in listed}
            self._bottom = max((placed.region.bottom for placed in listed), default=0)
            self._keep_place(size.height)
            self.arranged()
        return arrangement

    def _keep_place(self, height: int) -> None:
        last = max(0, self._bottom - height)
        wanted = float(last) if self._is_following else self._held_y()
        if wanted is None:
            self._hold_top()
            return
        wanted = min(max(wanted, 0), last)
        if wanted != self.scroll_y:
            # Seen in this very layout, and watched by nobody: the user has not moved.
            self.set_reactive(Widget.scroll_target_y, wanted)
            self.set_reactive(Widget.scroll_y, wanted)
            if self.show_vertical_scrollbar:
                self.vertical_scrollbar.position = wanted

    def _held_y(self) -> float | None:
        region = self._regions.get(self._held[0]) if self._held else None
        return None if region is None or self._held is None else region.y + self._held[1]

    def _hold_top(self) -> None:
        """What is at the top of the screen now."""
        self._held = next(
            (
                (view, self.scroll_y - region.y)
                for view, region in self._regions.items()
                if region.bottom > self.scroll_y
            ),
            None,
        )

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if old_value != new_value:
            self._is_following = self.has_end and new_value >= self.max_scroll_y
            self._hold_top()
            self.scrolled()
