"""What was left out of a folder, and the one line that says so."""

from dataclasses import dataclass, field

from assistant.attachments.names import shown_name

MAX_NAMED = 3


@dataclass(slots=True)
class LeftOut:
    """Counts of what nobody misses, and names of what somebody may."""

    binary: int = 0
    links: int = 0
    special: int = 0  # pipes, sockets, devices
    hidden: int = 0
    ignored: int = 0
    too_large: list[str] = field(default_factory=list)
    secret: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)

    def sentence(self, shown: str) -> str:
        """ "" when nothing was left out."""
        parts = [
            *_counted(self.binary, "binary file", "binary files"),
            *_counted(self.links, "symbolic link", "symbolic links"),
            *_counted(self.special, "pipe or device", "pipes or devices"),
            *_counted(self.hidden, "hidden entry", "hidden entries"),
            *_counted(self.ignored, "entry that .gitignore names", "entries that .gitignore names"),
            *_named(self.too_large, "too large"),
            *_named(self.secret, ""),
            *_named(self.unreadable, "not readable"),
            *_named(self.vanished, "gone meanwhile"),
        ]
        if not parts:
            return ""
        listed = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
        total = self.binary + self.links + self.special + self.hidden + self.ignored
        total += sum(map(len, (self.too_large, self.secret, self.unreadable, self.vanished)))
        return f"{shown}: {listed} {'was' if total == 1 else 'were'} left out"


def _counted(count: int, one: str, many: str) -> list[str]:
    return [f"{count:,} {one if count == 1 else many}"] if count else []


def _named(names: list[str], why: str) -> list[str]:
    shown = [shown_name(name) for name in sorted(names)[:MAX_NAMED]]
    if len(names) > MAX_NAMED:
        shown.append(f"{len(names) - MAX_NAMED:,} more")
    reason = f" ({why})" if why else ""
    return [", ".join(shown) + reason] if shown else []
