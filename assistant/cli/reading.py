"""Words, files and standard input become the question of a turn."""

import os
import select
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from assistant import paths
from assistant.attachments.attached import Attached
from assistant.attachments.names import STDIN
from assistant.cli.asked import NO_QUESTION, Asked, is_piped
from assistant.cli.interrupts import Interrupts
from assistant.cli.options import Options, as_text
from assistant.cli.report import Report
from assistant.config import Settings
from assistant.conversation.questions import Question
from assistant.engine.remote_spec import leaves_machine
from assistant.errors import AssistantError, UsageError
from assistant.messages import Attachment
from assistant.prompts.prompt_file import Gives, PromptFile, Takes

PATIENCE_SECONDS = 1.0  # for a pipe that is open and sends nothing
KEPT = "unsent.md"  # in the state folder


class QuestionReader:
    """Reads what is attached, says what was done to it, and lets the user write the question."""

    def __init__(self, asked: Asked, options: Options, settings: Settings, report: Report) -> None:
        self._asked = asked
        self._options = options
        self._settings = settings
        self._report = report
        self._composed = ""

    def read(self, prompt: PromptFile, interrupts: Interrupts) -> Question:
        """Raises `InputError`, `UsageError`."""
        named = [*self._asked.files, *(self._options.file or [])]
        if STDIN in named and sys.stdin.isatty():
            self._report.note(["type the text; Ctrl-D on a line of its own ends it"])
        attached = self._attach(named)
        reads_question = self._asked.text == "-" and Takes.QUESTION in prompt.needs
        piped = Attached()
        if reads_question or (self._takes_pipe(prompt, named) and is_piped()):
            _say_if_waiting(self._report)
            from assistant.attachments.stdin import read_stdin

            piped = read_stdin(sys.stdin.buffer, self._settings.max_input)
        for notice in (*piped.notices, *attached.notices):
            self._report.warning(notice)
        self._warn_of_secrets((*piped.attachments, *attached.attachments))
        text = "" if reads_question else self._asked.text
        if self._options.edit:
            text = self._compose(text, interrupts)
        is_missing = not (text.strip() or self._asked.is_draft)
        if is_missing and Takes.QUESTION in prompt.needs:
            # Nothing but standard input: it is the question.
            if not piped.attachments:
                raise UsageError(*NO_QUESTION)
            text, piped = piped.attachments[0].text.rstrip("\n"), Attached()
        return Question(
            prompt,
            text,
            (*piped.attachments, *attached.attachments),
            variables=self._asked.variables,
            system=self._settings.system,
            language=_language(prompt, self._options, self._settings),
            candidates=self._options.wanted_candidates,
        )

    def _attach(self, names: Sequence[str]) -> Attached:
        if not names:
            return Attached()
        from assistant.attachments.reading import attach  # a bare question does without it

        return attach(names, sys.stdin.buffer, self._settings.max_input)

    def _warn_of_secrets(self, attachments: Sequence[Attachment]) -> None:
        if not attachments:
            return
        # Not for bare questions.
        from assistant.attachments.secret_warnings import Destination, secret_warnings

        where = Destination(leaves_machine(self._settings.model), self._settings.history)
        for warning in secret_warnings(attachments, where):
            self._report.warning(warning)

    @contextmanager
    def keeping_what_was_written(self) -> Iterator[None]:
        """An error gives the text back that was composed for it."""
        try:
            yield
        except AssistantError:
            if self._composed:
                self._keep()
            raise

    def _keep(self) -> None:
        try:
            file = paths.writable(paths.state_folder()) / KEPT
            file.write_text(self._composed, "utf-8", "replace")
        except (OSError, UsageError) as err:
            self._report.warning(f"what you wrote could not be kept: {err}")
        else:
            self._report.warning(f"what you wrote is in {file}")

    def _takes_pipe(self, prompt: PromptFile, named: Sequence[str]) -> bool:
        """Whoever names files behind a command means these; -f only adds to what is piped."""
        return Takes.STDIN in prompt.takes and not self._asked.files and "-" not in named

    def _compose(self, start: str, interrupts: Interrupts) -> str:
        from assistant.editor import compose  # few want it

        with interrupts.while_a_person_works():
            text = compose(start)
        if not text.strip():
            raise UsageError(
                "nothing was written, so nothing is asked", 'llmchat -e, or llmchat "…"'
            )
        self._composed = text
        return text


def _say_if_waiting(report: Report) -> None:
    if sys.stdin.isatty():
        report.note(["type the question; Ctrl-D on a line of its own ends it"])
    elif not select.select([0], [], [], PATIENCE_SECONDS)[0]:
        report.note(["waiting for standard input; Ctrl-D or the end of its writer ends it"])


def _language(prompt: PromptFile, options: Options, settings: Settings) -> str:
    """The locale decides only where people read the answer and the prompt leaves it open."""
    from assistant.spoken_languages import language_name, language_of_locale

    if options.lang:
        return language_name(as_text(options.lang))
    if prompt.own_language or prompt.gives is not Gives.MARKDOWN:
        return ""
    return language_name(settings.lang) if settings.lang else language_of_locale(os.environ)
