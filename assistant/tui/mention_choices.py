"""What may follow an @, as choices for the picker: names at once, their sizes when they are known.

Looking at the disk, parsing and counting happen in a thread, which tells that there is news.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import monotonic

from assistant.attachments.attachable import (
    Listing,
    is_path,
    list_attachable,
    list_folder,
    list_symbols,
)
from assistant.attachments.fuzzy import FuzzyNames, Match
from assistant.attachments.measuring import CountTokens, Size, Sizes
from assistant.attachments.mentions import CHANGES, as_mention, can_be_mentioned
from assistant.attachments.names import LINES
from assistant.attachments.reading import attach
from assistant.attachments.symbols import shown_lines
from assistant.errors import AssistantError
from assistant.rendering.quantities import size_text
from assistant.tui.background import Background
from assistant.tui.widgets.picker import Choice

MOST = 100  # choices
MOST_RECENT = 50
SMALL_BYTES = 64 << 10  # files whose tokens are counted before they are chosen
NEWS_SECONDS = 0.1  # between two pieces of news about sizes
SAID = {"diff": "uncommitted changes", "staged": "staged changes"}
PARENTS = ("~", ".", "..")


class _Symbols:
    """Those of one file: names, and the lines where each stands."""

    def __init__(self, names: FuzzyNames, lines: dict[str, str]) -> None:
        self.names = names
        self.lines = lines


class MentionChoices:
    """`on_news` is called in a thread when `choices` would give more than before."""

    def __init__(
        self, count_tokens: CountTokens, on_news: Callable[[], None], background: Background
    ) -> None:
        self._on_news = on_news
        self._sizes = Sizes(count_tokens)
        self._background = background
        self._listing = Listing()
        self._names: FuzzyNames | None = None
        self._symbols: dict[str, _Symbols] = {}
        self._folders: dict[str, list[str]] = {}
        self._fresh: set[str] = set()  # what was looked up since the picker was opened
        self._recent: list[str] = []
        self._ranked: tuple[str, Sequence[Match]] | None = None  # as long as nothing else is typed

    def begin(self) -> None:
        """The picker opens: the disk is looked at anew."""
        self._fresh.clear()
        self._refresh("names", self._read_names)

    def used(self, names: Iterable[str]) -> None:
        """Were attached; the last one comes first from now on."""
        for name in names:
            self._recent = [name, *(one for one in self._recent if one != name)][:MOST_RECENT]
        self._ranked = None

    def choices(self, typed: str) -> Sequence[Choice] | None:
        """The best first. None: that has to be looked up; there will be news."""
        file, separator, symbol = typed.rpartition("::")
        if separator:
            return self._symbol_choices(file, symbol)
        lines = LINES.fullmatch(typed)
        if lines is not None or typed.endswith(":"):
            return self._line_choices(lines["file"] if lines else typed[:-1], typed)
        if is_path(typed):
            return self._path_choices(typed)
        if self._names is None:
            return None
        if self._ranked is None or self._ranked[0] != typed:
            self._ranked = typed, self._names.best(typed, MOST, self._recent)
        return [self._choice(match) for match in self._ranked[1]]

    def measure(self, shown: Sequence[Choice], chosen: Choice) -> None:
        """Looks how large these are, soon. What is large is only counted when it is chosen."""
        names = [choice.name for choice in shown]
        self._background.ask("sizes", lambda: self._measure(names, chosen.name))

    # ── choices ─────────────────────────────────────────────────────────────────────────────

    def _choice(self, match: Match) -> Choice:
        name = match.name
        return Choice(
            shown=name,
            insert=as_mention(name),
            detail=self._detail(name),
            matched=match.positions,
            name=name,
            goes_on=name.endswith("/"),
        )

    def _detail(self, name: str) -> str:
        if name.endswith("/"):
            count = self._listing.files_below.get(name)
            return "" if count is None else f"{count:,} file{'s' * (count != 1)}"
        said = _shown_size(self._sizes.known(name) or Size())
        return ", ".join(filter(None, (SAID.get(name), said)))

    def _path_choices(self, typed: str) -> Sequence[Choice] | None:
        """As a shell goes on with it; hidden names only where a dot was typed."""
        if typed in PARENTS:
            return [self._choice(Match(typed + "/", tuple(range(len(typed)))))]
        head, slash, start = typed.rpartition("/")
        head += slash
        self._refresh("folder " + head, lambda: self._read_folder(head))
        if head not in self._folders:
            return None
        matched = tuple(range(len(typed)))
        return [
            self._choice(Match(name, matched))
            for name in self._folders[head]
            if name.startswith(typed) and (start or not name[len(head) :].startswith("."))
        ][:MOST]

    def _line_choices(self, file: str, typed: str) -> Sequence[Choice] | None:
        """One choice: the lines that were typed, or all there are."""
        size = self._sizes.known(file)
        if typed.endswith(":"):
            self._refresh("lines " + file, lambda: self._measure([file], file))
            if size is None:
                return None
            typed = f"{file}:1-{size.lines}" if size.lines else typed
        detail = _shown_size(self._sizes.known(typed) or Size())
        matched = tuple(range(len(file)))
        return [Choice(typed, as_mention(typed), detail, matched, name=typed)]

    def _symbol_choices(self, file: str, symbol: str) -> Sequence[Choice] | None:
        self._refresh("symbols " + file, lambda: self._read_symbols(file))
        known = self._symbols.get(file)
        if known is None:
            return None
        before = len(file) + 2
        return [
            Choice(
                shown=(name := f"{file}::{match.name}"),
                insert=as_mention(name),
                detail=", ".join(filter(None, (known.lines[match.name], self._tokens(name)))),
                matched=tuple(before + at for at in match.positions),
                name=name,
            )
            for match in known.names.best(symbol, MOST)
        ]

    def _tokens(self, name: str) -> str:
        size = self._sizes.known(name)
        return _shown_tokens(size.tokens) if size is not None else ""

    # ── in the thread ───────────────────────────────────────────────────────────────────────

    def _refresh(self, key: str, read: Callable[[], None]) -> None:
        """Once for each time that the picker is opened."""
        if key not in self._fresh:
            self._fresh.add(key)
            self._background.ask(key, lambda: self._tell_after(read))

    def _tell_after(self, read: Callable[[], None]) -> None:
        read()
        self._on_news()

    def _read_names(self) -> None:
        listing = list_attachable()
        if listing != self._listing or self._names is None:
            changes = tuple(CHANGES) if _is_repository() else ()
            self._names = FuzzyNames((*changes, *filter(can_be_mentioned, listing.names)))
            self._listing = listing
            self._ranked = None

    def _read_folder(self, head: str) -> None:
        self._folders[head] = [name for name in list_folder(head) if can_be_mentioned(name)]

    def _read_symbols(self, file: str) -> None:
        try:
            text = attach([file], None).attachments[0].text
        except AssistantError:
            text = ""
        found = list_symbols(text, file)
        lines = {one.name: shown_lines(one.lines) for one in found}
        self._symbols[file] = _Symbols(FuzzyNames(tuple(lines)), lines)

    def _measure(self, names: Sequence[str], chosen: str) -> None:
        """What is on the screen no longer is left to another time."""
        said = monotonic()
        for name in names:
            self._sizes.look(name)
        self._on_news()
        for name in sorted(names, key=lambda name: name != chosen):
            if self._background.is_waiting("sizes"):
                return
            size = self._sizes.look(name)
            is_small = size.size_bytes is not None and size.size_bytes <= SMALL_BYTES
            if name == chosen or is_small or (size.size_bytes is None and name not in CHANGES):
                self._sizes.measure(name)
            if monotonic() - said > NEWS_SECONDS:
                said = monotonic()
                self._on_news()
        self._on_news()


def _is_repository() -> bool:
    here = Path.cwd()
    return any((folder / ".git").exists() for folder in (here, *here.parents))


def _shown_size(size: Size) -> str:
    """Tokens where they are known, else bytes; lines of a part; or why it cannot be attached."""
    if size.problem:
        return size.problem
    lines = f"{size.lines:,} line{'s' * (size.lines != 1)}" if size.lines is not None else ""
    tokens = _shown_tokens(size.tokens)
    bytes_ = size_text(size.size_bytes) if size.size_bytes is not None and not tokens else ""
    return ", ".join(filter(None, (lines if size.size_bytes is None else "", tokens or bytes_)))


def _shown_tokens(tokens: int | None) -> str:
    return "" if tokens is None else f"{tokens:,} token{'s' * (tokens != 1)}"
