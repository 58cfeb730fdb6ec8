"""The engine of the settings, loaded: for commands that ask it without answering a question."""

from collections.abc import Iterator
from contextlib import contextmanager

from assistant.cli.color import moves_cursor
from assistant.cli.report import Report
from assistant.config import Settings
from assistant.engine.base import Engine
from assistant.rendering.progress import ProgressLine
from assistant.startup import choose_model, open_engine


@contextmanager
def loaded_engine(settings: Settings, report: Report) -> Iterator[Engine]:
    """Shows how far the loading is. Raises `ModelError`, `NotEnoughMemory`, `EngineUnreachable`."""
    engine = open_engine(choose_model(settings), settings)
    try:
        progress = progress_line(report)
        try:
            for event in engine.load():
                progress.show(event)
        finally:
            progress.close()
        yield engine
    finally:
        engine.close()


def progress_line(report: Report) -> ProgressLine:
    """Drawn where a person sees it."""
    is_wanted = report.err.isatty() and moves_cursor() and not report.is_quiet
    return ProgressLine(report.err, is_terminal=is_wanted)
