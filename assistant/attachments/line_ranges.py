"""`FILE:10-40` → those lines, exactly as they stand in the file.

A line ends with its line feed; other characters that Python calls line ends are text.
"""

from assistant.errors import InputError


def count_lines(text: str) -> int:
    return text.count("\n") + bool(text and not text.endswith("\n"))


def cut_lines(text: str, lines: tuple[int, int]) -> str:
    """Lines `first` to `last`, counted from 1, with their line ends."""
    first, last = lines
    pieces = text.split("\n")
    end = "\n" if last < len(pieces) else ""
    return "\n".join(pieces[first - 1 : last]) + end


def check_lines(lines: tuple[int, int | None], text: str, file_name: str) -> tuple[int, int]:
    """First and last line, both in the file. Raises `InputError`, which says how many it has."""
    count = count_lines(text)
    first, last = lines[0], count if lines[1] is None else lines[1]
    if not count:
        raise InputError(f"{file_name} has no lines: it is empty", "name another file")
    has = f"{file_name} has {count:,} line{'s' * (count > 1)}"
    if not first or not last:
        raise InputError(f"{has}, counted from 1", f"{file_name}:1-{min(last, count) or count}")
    if max(first, last) > count:
        begin = first if first <= count else 1
        raise InputError(f"{has}, and no line {max(first, last):,}", f"{file_name}:{begin}-{count}")
    if first > last:
        wrong, right = f"{first}-{last}", f"{last}-{first}"
        raise InputError(f"{has}; {wrong} ends before it begins", f"{file_name}:{right}")
    return first, last
