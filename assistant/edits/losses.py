"""Whether an answer is only a part of what it would replace: most lines gone, or definitions."""

from collections.abc import Sequence
from dataclasses import replace

from assistant.attachments.definitions import SourceCode
from assistant.attachments.grammars import grammar_of
from assistant.visible_text import visible

FEW_LINES = 8  # in shorter texts any change is a large one
MAX_NAMES = 5


def describe_loss(file_name: str, old: str, new: str, old_file: str, new_file: str) -> str:
    """A sentence such as "12 of 14 lines are gone, among them: load, Config"; "" for no loss.

    `new` would replace `old` in the file, which would turn from `old_file` into `new_file`.
    Lines count when more than half of those that are not blank have nothing in their place; of
    definitions, functions and classes that stand in no other.
    """
    before, after = _filled(old), _filled(new)
    gone = before - after
    has_lost_lines = before >= FEW_LINES and 2 * gone > before
    names = _named(_lost_definitions(file_name, old_file, new_file))
    if has_lost_lines:
        return f"{gone} of {before} lines are gone" + (f", among them: {names}" if names else "")
    return f"what it defines is gone: {names}" if names else ""


def _filled(text: str) -> int:
    return sum(not line.isspace() for line in text.split("\n") if line)


def _lost_definitions(file_name: str, old: str, new: str) -> list[str]:
    """Names of the old text's outermost functions and classes that the new one defines nowhere."""
    if old == new or not old.strip():
        return []
    kept = {path[-1] for path in _definitions(file_name, new)}
    outermost = (path[0] for path in _definitions(file_name, old) if len(path) == 1)
    return list(dict.fromkeys(name for name in outermost if name not in kept))


def _definitions(file_name: str, text: str) -> list[tuple[str, ...]]:
    """Of functions and classes alone; none where the language is not known."""
    grammar = grammar_of(file_name)
    if grammar is None:
        return []
    holding = grammar.function_values | grammar.variables
    functions = replace(grammar, variables=frozenset(), function_values=holding)
    try:
        return [found.path for found in SourceCode(text, functions).definitions()]
    except (TimeoutError, UnicodeEncodeError):  # lone surrogates
        return []


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return visible(", ".join(" ".join(name.split()) for name in names[:MAX_NAMES])) + more
