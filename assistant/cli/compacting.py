"""A summary takes the place of the older half of a conversation: what is seen of that."""

from assistant.cli.exit_codes import INTERRUPTED, OK
from assistant.cli.interrupts import Interrupts
from assistant.cli.report import Report
from assistant.conversation.compaction import Compaction
from assistant.events import Reason, TextChunk
from assistant.rendering.progress import ProgressLine


def compact(
    compaction: Compaction, report: Report, progress: ProgressLine, interrupts: Interrupts
) -> int:
    """Says what goes and what comes in its place; returns the exit code, 0 to go on.

    A summary that failed is none: the oldest turns are left out then, which is said elsewhere.
    """
    report.done(f"the window is nearly full: {compaction.messages} older messages become a summary")
    interrupts.on_first(compaction.cancel)
    try:
        for event in compaction:
            progress.show(event)
            if isinstance(event, TextChunk):
                progress.show_written(event)
    finally:
        progress.close()
    interrupts.on_first(None)
    if compaction.reason is Reason.STOPPED:
        return interrupts.code or INTERRUPTED
    if compaction.summary:
        report.done(f"summary: {compaction.summary}")
        report.done("llmchat history compact -e changes it")
    return OK
