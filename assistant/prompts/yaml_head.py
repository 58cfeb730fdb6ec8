"""YAML whose mistakes are found again: every key's value, and the line of the file it is on."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import UsageError

if TYPE_CHECKING:
    from yaml import Node, SafeLoader

LOOK = "look at a built-in one: llmchat prompts show explain"


class YamlHead:
    """The keys of front matter that begins in the second line of a file.

    Raises `UsageError` naming file and line when it is no mapping of different keys.
    """

    def __init__(self, path: Path, text: str) -> None:
        import yaml  # takes 20 ms

        self._path = path
        loader = yaml.SafeLoader(text)
        try:
            root = loader.get_single_node()
            if not isinstance(root, yaml.MappingNode):
                raise refuse(path, 1, "its front matter has no keys")
            self._root = root
            self.values = self._construct(loader)
        except (yaml.YAMLError, RecursionError) as err:
            mark = getattr(err, "problem_mark", None)
            reason = getattr(err, "problem", None) or "it is no YAML"
            line = mark.line + 2 if mark else 1
            raise refuse(path, line, reason, "correct its front matter") from err
        finally:
            loader.dispose()

    def wrong(self, reason: str, *place: object, hint: str = LOOK) -> UsageError:
        """An error at a key, or at a key inside the value of another one."""
        return refuse(self._path, self._line(place), reason, hint)

    def first_line(self, key: str) -> int:
        """The line of the file in which the text of a key begins."""
        for key_node, value in self._root.value:
            if key_node.value == key:
                return int(value.start_mark.line) + (3 if value.style in ("|", ">") else 2)
        return 1

    def _construct(self, loader: "SafeLoader") -> dict[Any, Any]:
        values: dict[Any, Any] = {}
        for key_node, value_node in self._root.value:
            line = key_node.start_mark.line + 2
            try:
                key = loader.construct_object(key_node, deep=True)
                value = loader.construct_object(value_node, deep=True)
            except (ValueError, OverflowError) as err:  # no such date, a number without end
                raise refuse(self._path, line, f"it is no YAML: {err}") from err
            if not isinstance(key, str | int | float | bool | None):
                raise refuse(self._path, line, "a key has to be a word")
            if key in values:
                raise refuse(self._path, line, f"{shown(key)} is there twice")
            values[key] = value
        return values

    def _line(self, place: tuple[object, ...]) -> int:
        """Of the innermost key that can be found."""
        line = 1
        node: Node = self._root
        for key in place:
            found = _find(node, str(key))
            if found is None:
                break
            line, node = found[0].start_mark.line + 2, found[1]
        return line


def refuse(path: Path, line: int, reason: str, hint: str = LOOK) -> UsageError:
    """A prompt file's mistake: the file and the line stand before what it is."""
    return UsageError(f"{path}, line {line}: {reason}", hint)


def shown(value: object) -> str:
    """A value in an error: short, and never all that a list may hold."""
    match value:
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return repr(str(value)[:80])


def _find(node: "Node", key: str) -> "tuple[Node, Node] | None":
    pairs = node.value if isinstance(node.value, list) else []
    for pair in pairs:
        if isinstance(pair, tuple) and str(pair[0].value) == key:
            return pair
    return None
