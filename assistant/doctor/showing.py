"""Checks and sizes as lines for a person, or as JSON for a program."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import TextIO

from assistant.doctor.check import Check, Status
from assistant.doctor.disk import DiskUse
from assistant.rendering.json_lines import write_object
from assistant.rendering.quantities import size_text
from assistant.rendering.tables import clip, one_line, table_lines

MARKS = {Status.OK: "✓", Status.WARNING: "!", Status.FAILED: "✗"}
COLORS = {Status.OK: 32, Status.WARNING: 33, Status.FAILED: 31}  # green, yellow, red
NAME_COLUMNS = 14  # of the longest name
SIZE_COLUMNS = 9


class CheckLines:
    """Writes each check when it comes. Marks and colours are for terminals only."""

    def __init__(self, out: TextIO, *, is_terminal: bool, has_color: bool) -> None:
        self._out = out
        self._has_color = has_color
        self._has_marks = is_terminal and _can_write(out, "✓✗→")
        self._checks: list[Check] = []

    def write(self, checks: Iterable[Check]) -> bool:
        """Says at the end how it went. False when something failed."""
        for check in checks:
            self._checks.append(check)
            self._say(
                f"{self._mark(check.status)} {check.name:{NAME_COLUMNS}} {one_line(check.says)}"
            )
            if check.hint:
                arrow = "→" if self._has_marks else "->"
                self._say(f"    {arrow} {one_line(check.hint)}")
        self._say(self._conclusion())
        return not self._count(Status.FAILED)

    def _say(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()

    def _mark(self, status: Status) -> str:
        mark = MARKS[status] if self._has_marks else f"{status.value:7}"
        return f"\x1b[{COLORS[status]}m{mark}\x1b[39m" if self._has_color else mark

    def _conclusion(self) -> str:
        failed, warnings = self._count(Status.FAILED), self._count(Status.WARNING)
        counts = [
            *([_counted(failed, "problem")] if failed else []),
            *([_counted(warnings, "warning")] if warnings else []),
        ]
        return f"{' and '.join(counts)}." if counts else "All is well."

    def _count(self, status: Status) -> int:
        return sum(check.status is status for check in self._checks)


def write_checks_json(checks: Iterable[Check], out: TextIO) -> bool:
    """A list of objects. False when something failed."""
    found = list(checks)
    write_object([asdict(check) for check in found], out)
    return all(check.status is not Status.FAILED for check in found)


def write_disk_use(use: DiskUse, out: TextIO, columns: int | None) -> None:
    """`columns` of the terminal; None for a pipe."""
    arrow = "→" if columns is not None and _can_write(out, "→") else "->"
    room = None if columns is None else columns - SIZE_COLUMNS - 2
    table = table_lines([(row.what, str(row.path)) for row in use.rows], room)
    for line, row in zip(table, use.rows, strict=True):
        out.write(f"{size_text(row.size_bytes):>{SIZE_COLUMNS}}  {line}\n")
        if row.is_partial:
            out.write(f"{'':{SIZE_COLUMNS}}  some of it cannot be read, and is not counted\n")
        out.write(f"{'':{SIZE_COLUMNS}}  {arrow} {one_line(row.to_free)}\n")
    out.write(f"{size_text(use.total_bytes):>{SIZE_COLUMNS}}  in all\n")
    for disk in use.disks:
        free, size = size_text(disk.free_bytes), size_text(disk.size_bytes)
        out.write(
            clip(
                f"{free:>{SIZE_COLUMNS}}  free of {size} on the disk of {one_line(str(disk.path))}",
                columns,
            )
        )
        out.write("\n")


def write_disk_use_json(use: DiskUse, out: TextIO) -> None:
    """One object: rows, total_bytes, disks."""
    rows, disks = (
        [asdict(one) | {"path": str(one.path)} for one in of] for of in (use.rows, use.disks)
    )
    write_object({"rows": rows, "disks": disks, "total_bytes": use.total_bytes}, out)


def _can_write(out: TextIO, text: str) -> bool:
    try:
        text.encode(out.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
