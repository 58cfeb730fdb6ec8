"""Nodes of a syntax tree → the names that they define, whatever the language.

Grammars agree on the names of fields: `name`, or the declarators of C, or the left side of an
assignment. Knows nothing of lines or files.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

NAME_FIELDS = ("name", "property", "key", "left", "declarator")
FUNCTIONS = frozenset(
    {"arrow_function", "function_expression", "generator_function", "class", "lambda_expression"}
)
NAMES = frozenset({"operator_name", "destructor_name", "string"})  # and all identifiers
OF_TWO = {  # the fields of a name that is made of names
    "qualified_identifier": ("scope", "name"),
    "member_expression": ("object", "property"),
    "template_type": ("name",),
    "template_function": ("name",),
}
OF_CHILDREN = frozenset({"nested_namespace_specifier", "nested_identifier"})
OF_FIRST_CHILD = frozenset({"type", "generic_type"})  # of Python's `type X[T] = …`
SEVERAL = frozenset({"pattern_list", "tuple_pattern"})
NO_SCOPES = frozenset({"exports", "module", "prototype", "this"})
MAX_DEPTH = 40  # of a name's nodes

Path = tuple[str, ...]


class Names:
    """Reads the names in one source text."""

    def __init__(self, source: bytes) -> None:
        self._source = source

    def defined_by(self, node: "Node") -> Sequence[Path]:
        """The names that a node defines, each from the outermost part to the last."""
        if node.type == "impl_item":
            return [(self._impl_name(node),)]
        nodes = next(filter(None, map(node.children_by_field_name, NAME_FIELDS)), [])
        if nodes and nodes[0].type in SEVERAL:
            nodes = nodes[0].named_children
        receiver = node.child_by_field_name("receiver")  # of Go's methods
        owner = (self._type_name(receiver, "["),) if receiver is not None else ()
        return [owner + path for name in nodes if (path := self._path(name))]

    def scope_of(self, node: "Node", path: Path) -> Path:
        """What a definition adds to the names of those inside it: its own, or its type's."""
        of_type = node.child_by_field_name("type") if node.type == "impl_item" else None
        return (self._type_name(of_type, "<"),) if of_type is not None else path

    def _path(self, node: "Node | None", depth: int = MAX_DEPTH) -> Path:
        """The parts of a name; none where there is no plain name."""
        if node is None or not depth:
            return ()
        kind = node.type
        if kind == "operator_cast":
            return (f"operator {self._text(node.child_by_field_name('type'))}",)
        if kind.endswith("identifier") and kind not in OF_TWO and kind not in OF_CHILDREN:
            return () if (text := self._text(node)) in NO_SCOPES else (text,)
        if kind in NAMES:
            return (self._text(node).strip("\"'"),)
        if kind in OF_TWO:
            inner = [node.child_by_field_name(field) for field in OF_TWO[kind]]
        elif kind in OF_CHILDREN:
            inner = list(node.named_children)
        elif kind in OF_FIRST_CHILD:
            inner = list(node.named_children[:1])
        else:
            inner = [_declared(node)]
        return tuple(part for found in inner for part in self._path(found, depth - 1))

    def _impl_name(self, node: "Node") -> str:
        """`impl Display for Point`, without parameters and modules."""
        owner = self._type_name(node.child_by_field_name("type"), "<")
        trait = node.child_by_field_name("trait")
        if trait is None:
            return f"impl {owner}"
        return f"impl {self._type_name(trait, '<')} for {owner}"

    def _type_name(self, node: "Node | None", parameters: str) -> str:
        """The last word before the parameters of a type: `(s *Stack[T])` is about Stack."""
        words = re.findall(r"\w+", self._text(node).partition(parameters)[0])
        return words[-1] if words else ""

    def _text(self, node: "Node | None") -> str:
        data = self._source[node.start_byte : node.end_byte] if node is not None else b""
        return " ".join(data.decode("utf-8", "replace").split())


def holds_function(node: "Node") -> bool:
    value = node.child_by_field_name("value") or node.child_by_field_name("right")
    return value is not None and value.type in FUNCTIONS


def is_prototype(node: "Node") -> bool:
    """Whether it declares a function of C or C++ without its body."""
    if node.type not in ("declaration", "field_declaration"):
        return False
    return any(_declares_function(found) for found in node.children_by_field_name("declarator"))


def _declares_function(node: "Node | None") -> bool:
    for _ in range(MAX_DEPTH):
        if node is None or node.type in ("function_declarator", "operator_cast"):
            return node is not None
        node = _declared(node)
    return False


def _declared(node: "Node") -> "Node | None":
    """What a declarator is about: `*f(int)` is about `f(int)`, and that about `f`."""
    if not node.type.endswith("declarator"):
        return None
    inner = node.child_by_field_name("declarator")
    return inner or (node.named_children[0] if node.named_children else None)
