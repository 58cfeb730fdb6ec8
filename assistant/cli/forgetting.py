"""Makes models forget what they have read, wherever that is."""

from assistant.cli.report import Report
from assistant.engine.neighbours import neighbours
from assistant.engine.snapshots import clear_snapshots
from assistant.startup import snapshot_folder


def forget_what_was_read(report: Report) -> int:
    """Nothing stays on disk, nor in an engine that would write it again; bytes freed on disk."""
    others = [engine for engine in neighbours() if not engine.forget()]
    freed = clear_snapshots(snapshot_folder())
    if others:
        report.warning(
            "an engine does not answer and may remember it: "
            "llmchat engine stop, then llmchat engine cache clear"
        )
    return freed
