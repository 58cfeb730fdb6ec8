"""Source code → its definitions: their names, and the lines that belong to them.

tree-sitter parses, and recovers where the code is broken. How a symbol is chosen by its name
is symbols' business, what nodes are called grammars'.
"""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from assistant.attachments.grammars import Grammar
from assistant.attachments.symbol_names import Names, holds_function, is_prototype

if TYPE_CHECKING:
    from tree_sitter import Node


IsWanted = Callable[[tuple[str, ...]], bool]

PARSE_SECONDS = 5.0  # a good file of 10 MiB takes 2
PIECE_BYTES = 64 << 10
MANY_PLACES = 200  # that are looked up one by one


@dataclass(frozen=True, slots=True)
class Definition:
    """`path` are the names from the outermost to its own; `lines` first and last, from 1.

    `is_prototype`: it only announces a function that may be defined elsewhere.
    """

    path: tuple[str, ...]
    lines: tuple[int, int]
    is_prototype: bool = False

    @property
    def name(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node stands: in which names, inside a function or not, in which wrapper."""

    outer: tuple[str, ...] = ()
    is_local: bool = False
    wrapper: "Node | None" = None


class SourceCode:
    """A parsed text. Raises `TimeoutError` when parsing takes longer than PARSE_SECONDS."""

    def __init__(self, text: str, grammar: Grammar) -> None:
        from tree_sitter import Parser  # takes 10 ms, and most attachments need no grammar

        self._source = source = text.encode()
        self._grammar = grammar
        deadline = monotonic() + PARSE_SECONDS
        # Read in pieces, because only so other threads and Ctrl-C get their turn meanwhile.
        try:
            tree = Parser(grammar.load()).parse(
                lambda at, _point: source[at : at + PIECE_BYTES],
                progress_callback=lambda _at, _has_error: monotonic() > deadline,
            )
        except ValueError as err:  # the callback said so
            raise TimeoutError from err
        self._root = tree.root_node

    def definitions(self, word: str = "", is_wanted: IsWanted = bool) -> list[Definition]:
        """Definitions whose path is wanted, in the order of the text, the outer before the inner.

        With `word`, only where it stands: nothing else is looked at, which makes the search in
        a large file ten times as fast.
        """
        walk = _Walk(self._source, self._root, self._grammar, word)
        return list(dict.fromkeys(walk.definitions(is_wanted)))


class _Walk:
    """One pass over a tree, without recursion: code may be nested more deeply than Python."""

    def __init__(self, source: bytes, root: "Node", grammar: Grammar, word: str) -> None:
        self._source = source
        self._root = root
        self._grammar = grammar
        self._names = Names(source)
        self._places = _places_of(word, source) if word else None
        self._defining = grammar.definitions | grammar.variables | grammar.function_values

    def definitions(self, is_wanted: IsWanted) -> Iterator[Definition]:
        todo = [(self._root, _Place())]
        while todo:
            node, place = todo.pop()
            paths = self._paths(node, place)
            for path in paths:
                if is_wanted(place.outer + path):
                    lines = self._lines(place.wrapper or node)
                    yield Definition(place.outer + path, lines, is_prototype(node))
            children = self._children(node)
            if children:
                inside = self._inside(node, place, paths)
                todo += [(child, inside) for child in reversed(children)]

    def _children(self, node: "Node") -> list["Node"]:
        """The children that hold one of the wanted places, or all of them when these are many."""
        if self._places is None:
            return node.named_children
        at, end = (bisect_left(self._places, byte) for byte in (node.start_byte, node.end_byte))
        if end - at > MANY_PLACES:
            return node.named_children
        children: list[Node] = []
        cursor = node.walk()
        while at < end:
            # Node.first_child_for_byte gives a node that crashes when there is no such child.
            if cursor.goto_first_child_for_byte(self._places[at]) is None:
                break
            child = cursor.node
            assert child is not None
            children += [child] if child.is_named else []
            at = bisect_left(self._places, child.end_byte, at + 1)
            cursor.goto_parent()
        return children

    def _paths(self, node: "Node", place: _Place) -> Sequence[tuple[str, ...]]:
        """The names that a node defines, each in its parts; none when it defines nothing."""
        kind, grammar = node.type, self._grammar
        if kind not in self._defining:
            return ()
        if kind in grammar.variables and place.is_local and not holds_function(node):
            return ()
        if kind in grammar.function_values and not holds_function(node):
            return ()
        if kind in grammar.needs_body and node.child_by_field_name("body") is None:
            return ()
        return self._names.defined_by(node)

    def _inside(self, node: "Node", place: _Place, paths: Sequence[tuple[str, ...]]) -> _Place:
        kind, grammar = node.type, self._grammar
        is_named = bool(paths) and kind not in grammar.transparent
        outer = place.outer + self._names.scope_of(node, paths[0]) if is_named else place.outer
        wrapper = None
        if kind in grammar.wrappers:
            held = [c for c in node.named_children if c.type in self._defining | grammar.wrappers]
            wrapper = (place.wrapper or node) if len(held) == 1 else None
        return _Place(outer, place.is_local or kind in grammar.bodies, wrapper)

    def _lines(self, node: "Node") -> tuple[int, int]:
        end = node.end_point
        last = end.row + (end.column > 0 or end.row == node.start_point.row)
        return self._first_line(node), last

    def _first_line(self, node: "Node") -> int:
        """Of the first comment or attribute of those that stand directly above a node."""
        line = node.start_point.row + 1
        above: Node | None = node
        while above is not None and self._begins_line(above):
            line = above.start_point.row + 1
            above = self._above(above)
        return line

    def _begins_line(self, node: "Node") -> bool:
        return not self._source[self._line_start(node.start_byte) : node.start_byte].strip()

    def _above(self, node: "Node") -> "Node | None":
        """The comment or attribute that ends the line before a node's first."""
        line_start = self._line_start(node.start_byte)
        before = self._line_start(max(line_start - 1, 0))
        end = before + len(self._source[before:line_start].rstrip())
        if end == before:
            return None
        found = self._root.descendant_for_byte_range(end - 1, end)
        while found is not None and found.type not in self._grammar.above:
            found = found.parent
        return found

    def _line_start(self, byte: int) -> int:
        return self._source.rfind(b"\n", 0, byte) + 1


def _places_of(word: str, source: bytes) -> list[int]:
    escaped, letter = re.escape(word.encode()), rb"[\w\x80-\xff]"
    # What stands before the word is looked at behind it: `re` is fast only to find literal text.
    pattern = escaped + b"(?<!" + letter + escaped + b")(?!" + letter + b")"
    return [found.start() for found in re.finditer(pattern, source)]
