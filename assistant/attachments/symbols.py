"""`FILE::Class.method` → the lines of that definition, or an error that says what there is."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from assistant.attachments.definitions import Definition, SourceCode
from assistant.attachments.grammars import LANGUAGES, grammar_of
from assistant.errors import InputError

MAX_LISTED = 8  # definitions that all have the name
MAX_NAMES = 60  # names of what there is


def find_symbol(text: str, file_name: str, symbol: str) -> Definition:
    """The one definition that `symbol` names: parts joined by "." or "::", outer ones optional.

    Raises `InputError`, which lists what there is when none or several have that name.
    """
    grammar = grammar_of(file_name)
    if grammar is None:
        raise InputError(
            f"{file_name}: symbols are found in {', '.join(LANGUAGES[:-1])} and {LANGUAGES[-1]}",
            f"name lines instead: {file_name}:10-40",
        )
    try:
        code = SourceCode(text, grammar)
    except TimeoutError as err:
        raise InputError(
            f"{file_name} cannot be read as {grammar.shown}: it takes too long",
            f"name lines instead: {file_name}:10-40",
        ) from err
    wanted = [part.strip() for part in re.split(r"::|\.", symbol)]
    if not wanted[-1]:
        raise _list_of_names(code.definitions(), file_name, [part for part in wanted if part])
    word, keys = re.search(r"\w+", wanted[-1]), _keys(wanted)
    ending = code.definitions(
        word.group() if word else "", lambda path: _keys(path[-len(keys) :]) == keys
    )
    match found := _meant(ending, len(keys)):
        case [only]:
            return only
        case []:
            raise _unknown(code.definitions(), file_name, symbol)
        case _:
            raise _ambiguous(found, file_name, symbol)


def shown_lines(lines: tuple[int, int]) -> str:
    first, last = lines
    return f"line {first}" if first == last else f"lines {first}-{last}"


def _meant(ending: Sequence[Definition], parts: int) -> list[Definition]:
    """Of those whose path ends with the `parts` that were named: just these, and no prototypes."""
    exact = [found for found in ending if len(found.path) == parts]
    matches = exact or [found for found in ending if parts > 1 or not _is_constructor(found)]
    matches = [found for found in matches if not found.is_prototype] or matches
    return _outermost(matches)


def _keys(path: Iterable[str]) -> list[str]:
    return ["".join(part.split()) for part in path]


def _is_constructor(definition: Definition) -> bool:
    """Whether it is named like what it stands in, which is meant by the bare name."""
    return len(definition.path) > 1 and definition.path[-1] == definition.path[-2]


def _outermost(matches: Sequence[Definition]) -> list[Definition]:
    """Those that stand in no other one; of several on the same lines, all."""
    outer: list[Definition] = []
    for one in sorted(matches, key=lambda found: (found.lines[0], -found.lines[1])):
        if not outer or one.lines == outer[-1].lines or one.lines[1] > outer[-1].lines[1]:
            outer.append(one)
    return outer


def _ambiguous(found: Sequence[Definition], file_name: str, symbol: str) -> InputError:
    listed = ", ".join(f"{one.name} ({shown_lines(one.lines)})" for one in found[:MAX_LISTED])
    more = f" and {len(found) - MAX_LISTED} more" if len(found) > MAX_LISTED else ""
    first, last = found[0].lines
    return InputError(
        f"{file_name} has {len(found)} definitions of {symbol}: {listed}{more}",
        f"name the lines: {file_name}:{first}-{last}",
    )


def _unknown(definitions: Sequence[Definition], file_name: str, symbol: str) -> InputError:
    message = f"{file_name} has no definition of {symbol}"
    if not definitions:
        return InputError(f"{message}, nor of anything else", f"name lines: {file_name}:10-40")
    close = ", ".join(
        f"{one.name} ({shown_lines(one.lines)})" for one in _nearest(definitions, symbol)
    )
    everything = f"all names: {file_name}::"
    return InputError(message, f"did you mean {close}? {everything}" if close else everything)


def _nearest(definitions: Sequence[Definition], symbol: str) -> list[Definition]:
    """Those whose whole name or last part is spelt alike."""
    by_name: dict[str, list[Definition]] = {}
    for definition in definitions:
        for name in {definition.name.lower(), definition.path[-1].lower()}:
            by_name.setdefault(name, []).append(definition)
    wanted = ".".join(re.split(r"::|\.", symbol)).lower()
    close = get_close_matches(wanted, by_name, n=3)
    close += get_close_matches(wanted.rpartition(".")[2], by_name, n=3)
    return list(dict.fromkeys(found for name in close for found in by_name[name]))[:3]


def _list_of_names(
    definitions: Sequence[Definition], file_name: str, below: Sequence[str]
) -> InputError:
    """`FILE::` and `FILE::Class.` name nothing: say what could follow."""
    start = _keys(below)
    inside = [d for d in definitions if not start or start in _beginnings(d)]
    names = list(dict.fromkeys(found.name for found in inside))
    where = f"{file_name}::{'.'.join(below)}"
    if not names:
        return InputError(f"{where} has no definitions", f"name lines: {file_name}:10-40")
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return InputError(
        f"{where} needs a name: {', '.join(names[:MAX_NAMES])}{more}",
        f"for example {file_name}::{names[0]}",
    )


def _beginnings(definition: Definition) -> list[list[str]]:
    """The paths of everything around a definition, with outer parts left out or not."""
    outer = _keys(definition.path[:-1])
    return [outer[first:] for first in range(len(outer))]
