"""Starts the engine for one question before the rest is imported, so that it loads meanwhile."""

import sys
from typing import TYPE_CHECKING

from assistant.cli.asked import Asked
from assistant.cli.interrupts import Interrupts
from assistant.cli.options import Options
from assistant.errors import AssistantError
from assistant.startup import choose_model, open_engine

if TYPE_CHECKING:
    from assistant.config import Settings


def answer(asked: Asked, options: Options) -> int:
    """Answer on standard output; returns the exit code. Raises `AssistantError`."""
    settings: Settings | None = None
    has_begun = False
    try:
        settings = options.load_settings()
        with Interrupts(settings.timeout) as interrupts:
            engine = open_engine(choose_model(settings), settings)
            try:
                loading = engine.load()
                from assistant.cli.answering import Answering  # 40 ms, beside the loading

                has_begun = True
                return Answering(asked, options, settings, interrupts).run(engine, loading)
            finally:
                engine.close()
    except AssistantError as error:
        if not has_begun:
            _fail(error, settings.output if settings else options.output)
        raise


def _fail(error: AssistantError, form: str | None) -> None:
    """Programs that asked for JSON get the error in it, too."""
    if form not in ("json", "stream-json"):
        return
    from assistant.cli.exit_codes import exit_code
    from assistant.rendering.json_lines import JsonAnswer

    JsonAnswer(sys.stdout, is_stream=form == "stream-json").fail(error, exit_code(error))
