"""Bytes and times for people."""

UNITS = ("kB", "MB", "GB")


def size_text(size_bytes: int) -> str:
    """Decimal, as disks are sold: 512 bytes, 98 MB, 4.2 GB."""
    if size_bytes < 1000:
        return f"{size_bytes} bytes"
    size = float(size_bytes)
    for unit in UNITS:
        size /= 1000
        if size < 999.5 or unit == UNITS[-1]:
            break
    return f"{size:.1f} {unit}" if unit == UNITS[-1] else f"{size:.0f} {unit}"


def duration_text(seconds: float) -> str:
    """12 s, 5 min, 2 h, 3 days."""
    for unit, length, most in (("s", 1, 90), ("min", 60, 90), ("h", 3600, 48)):
        count = round(seconds / length)
        if count <= most:
            return f"{count} {unit}"
    return f"{round(seconds / 86400)} days"


def age_text(then: float, now: float) -> str:
    """`5 min ago`; both in seconds since the epoch."""
    return f"{duration_text(max(0.0, now - then))} ago"


def seconds_text(seconds: float) -> str:
    """Short times with a decimal: 0.3 s, 4.2 s; longer ones as `duration_text`."""
    return f"{seconds:.1f} s" if seconds < 9.95 else duration_text(seconds)
