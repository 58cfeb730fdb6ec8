"""The messages of a conversation in their order, of which some are widgets at the moment."""

from collections.abc import Callable, Iterable

from msgspec import Struct

from assistant.tui.widgets.lines import LineView

BATCH = 4  # messages that are made at once
MOST = 24  # messages that are widgets, where the screen does not show more


class Place:
    """One message: it has a view, or can make one."""

    def __init__(
        self, name: str, make: Callable[[], LineView], view: LineView | None = None
    ) -> None:
        self._name = name
        self._make = make
        self.view = view

    @classmethod
    def of(cls, view: LineView) -> "Place":
        return cls(view.name, view.twin, view)

    @property
    def name(self) -> str:
        return self._name if self.view is None else self.view.name

    def show(self) -> LineView | None:
        """A view that has to be mounted; None when there is one already."""
        if self.view is not None:
            self.view.display = True
            return None
        self.view = self._make()
        return self.view

    def hide(self) -> LineView | None:
        """A view that has to be removed; one that is being written stays, out of sight."""
        view = self.view
        if view is not None and not view.is_finished:
            view.display = False
            return None
        if view is not None:
            self._name, self._make, self.view = view.name, view.twin, None
        return view


class Change(Struct, frozen=True):
    """What has to happen on the screen: views that go, and groups that come before another view
    (None: at the end)."""

    removed: list[LineView]
    mounted: list[tuple[list[LineView], LineView | None]]


class Places:
    """Those from `first` to before `last` are shown: each of them is a widget."""

    def __init__(self, places: Iterable[Place] = ()) -> None:
        self._all = list(places)
        self.first = self.last = len(self._all)

    def __len__(self) -> int:
        return len(self._all)

    @property
    def later(self) -> int:
        """So many come after those that are shown."""
        return len(self._all) - self.last

    @property
    def shown(self) -> list[LineView]:
        return [place.view for place in self._all[self.first : self.last] if place.view]

    def append(self, view: LineView) -> None:
        """It is shown if the one before it is."""
        if self.later:
            view.display = False
        else:
            self.last += 1
        self._all.append(Place.of(view))

    def index(self, name: str) -> int | None:
        return next((at for at, place in enumerate(self._all) if place.name == name), None)

    def index_of(self, view: LineView) -> int | None:
        return next((at for at, place in enumerate(self._all) if place.view is view), None)

    def forget(self, first: int, last: int | None = None) -> list[LineView]:
        """The views of what is forgotten; they have to be removed."""
        gone = self._all[first:last]
        del self._all[first:last]
        self.first = _index_without(self.first, first, len(gone))
        self.last = _index_without(self.last, first, len(gone))
        return [place.view for place in gone if place.view]

    def show(self, first: int, last: int) -> Change:
        """Show these and no others."""
        outside = [at for at in range(self.first, self.last) if not first <= at < last]
        hidden = [self._all[at].hide() for at in outside]
        self.first, self.last = first, last
        groups: list[tuple[list[LineView], LineView | None]] = []
        run: list[LineView] = []
        for place in self._all[first:last]:
            if new := place.show():
                run.append(new)
            elif run:
                groups.append((run, place.view))
                run = []
        if run:
            groups.append((run, self._first_view(last)))
        return Change([view for view in hidden if view], groups)

    def _first_view(self, first: int) -> LineView | None:
        """From there on; only what is being written is a widget while it is not shown."""
        return next((place.view for place in self._all[first:] if place.view), None)


def _index_without(index: int, first: int, count: int) -> int:
    """Where an index points to when so many before or behind it are gone."""
    return index if index <= first else max(first, index - count)
