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
