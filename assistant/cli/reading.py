"""Words, files and standard input become the question of a turn."""

import os
import select
import sys
from collections.abc import Sequence

from assistant.attachments.attached import Attached
from assistant.attachments.reading import attach
from assistant.attachments.stdin import read_stdin
from assistant.cli.asked import NO_QUESTION, Asked, is_piped
from assistant.cli.options import Options, as_text
from assistant.cli.report import Report
from assistant.config import Settings
from assistant.conversation.session import Question
from assistant.errors import UsageError
from assistant.prompts.prompt_file import Gives, PromptFile, Takes

PATIENCE_SECONDS = 1.0  # for a pipe that is open and sends nothing


def make_question(
    asked: Asked, prompt: PromptFile, options: Options, settings: Settings, report: Report
) -> Question:
    """Reads what is attached and says what was done to it. Raises `InputError`, `UsageError`."""
    text = _compose(asked.text) if options.edit else asked.text
    reads_question = text == "-" and Takes.QUESTION in prompt.needs
    named = [*asked.files, *(options.file or [])]
    attached = attach(named, sys.stdin.buffer, settings.max_input)
    piped = Attached()
    if reads_question or (_takes_pipe(asked, prompt, named) and is_piped()):
        _say_if_waiting(report)
        piped = read_stdin(sys.stdin.buffer, settings.max_input)
    for notice in (*piped.notices, *attached.notices):
        report.warning(notice)
    if reads_question or (not text.strip() and Takes.QUESTION in prompt.needs):
        # Nothing but standard input: it is the question.
        if not piped.attachments:
            raise UsageError(*NO_QUESTION)
        text, piped = piped.attachments[0].text.rstrip("\n"), Attached()
    return Question(
        prompt,
        text,
        (*piped.attachments, *attached.attachments),
        variables=asked.variables,
        system=settings.system,
        language=_language(prompt, options, settings),
    )


def _takes_pipe(asked: Asked, prompt: PromptFile, named: Sequence[str]) -> bool:
    """Whoever names files behind a command means these; -f only adds to what is piped."""
    return Takes.STDIN in prompt.takes and not asked.files and "-" not in named


def _compose(start: str) -> str:
    from assistant.cli.editor import compose  # few want it

    text = compose(start)
    if not text.strip():
        raise UsageError("nothing was written, so nothing is asked", 'llmchat -e, or llmchat "…"')
    return text


def _say_if_waiting(report: Report) -> None:
    if sys.stdin.isatty():
        report.note(["type the question; Ctrl-D on a line of its own ends it"])
    elif not select.select([0], [], [], PATIENCE_SECONDS)[0]:
        report.note(["waiting for standard input; Ctrl-D or the end of its writer ends it"])


def _language(prompt: PromptFile, options: Options, settings: Settings) -> str:
    """The locale decides only where people read the answer and the prompt leaves it open."""
    from assistant.conversation.language import language_name, language_of_locale

    if options.lang and prompt.own_language:
        raise UsageError(
            f"{prompt.name} has a language of its own", f"llmchat {prompt.name} --help"
        )
    if options.lang:
        return language_name(as_text(options.lang))
    if prompt.own_language or prompt.gives is not Gives.MARKDOWN:
        return ""
    return language_name(settings.lang) if settings.lang else language_of_locale(os.environ)
