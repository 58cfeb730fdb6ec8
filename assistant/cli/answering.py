"""One question from the command line: read it, ask, show, and say how it went."""

import gc
import sys
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from assistant.cli.asked import Asked, Target
from assistant.cli.color import has_color, moves_cursor
from assistant.cli.exit_codes import OK
from assistant.cli.interrupts import Interrupts
from assistant.cli.options import Options
from assistant.cli.reading import QuestionReader
from assistant.cli.report import Report
from assistant.config import Settings
from assistant.conversation.session import Question, Session
from assistant.engine.base import Engine
from assistant.errors import AssistantError
from assistant.events import Finished, ModelLoading, TextChunk
from assistant.prompts.finding import find_prompt
from assistant.rendering.progress import ProgressLine
from assistant.startup import open_session

if TYPE_CHECKING:
    from assistant.cli.output import Output


class Answering:
    """The steps of one answer, and what they share."""

    def __init__(
        self, asked: Asked, options: Options, settings: Settings, interrupts: Interrupts
    ) -> None:
        self._asked = asked
        self._options = options
        self._settings = settings
        self._interrupts = interrupts
        self._report = Report(
            sys.stderr,
            is_quiet=bool(options.quiet),
            is_verbose=bool(options.verbose),
            has_color=has_color(settings.color, sys.stderr),
        )

    @cached_property
    def _output(self) -> "Output":
        """What shows the answer is imported when the question is on its way."""
        from assistant.cli.output import open_output

        return open_output(self._settings, self._asked.target, wants_code=self._options.extract)

    def run(self, engine: Engine, loading: Iterator[ModelLoading]) -> int:
        """The exit code. `loading` goes on beside until prompt and files are read.

        Raises `AssistantError`, which a program that reads JSON finds there, too.
        """
        try:
            return self._run(engine, loading)
        except AssistantError as error:
            self._output.fail(error)
            raise

    def _run(self, engine: Engine, loading: Iterator[ModelLoading]) -> int:
        self._check_target()
        prompt = find_prompt(self._asked.prompt)
        reader = QuestionReader(self._asked, self._options, self._settings, self._report)
        with reader.keeping_what_was_written():
            question = reader.read(prompt, self._interrupts)
            self._wait_for(loading)
            session = open_session(engine, self._settings)
            question = self._without_equal_candidates(session, question)
            if self._options.show_prompt:
                self._output.show_prompt(session.render(question))
                return OK
            if self._options.dry_run:
                return self._show_plan(engine, session, question)
            return self._show_answer(engine, session, question)

    def _check_target(self) -> None:
        candidates = self._options.wanted_candidates
        if self._asked.target == Target():
            return
        from assistant.cli.targets import check_candidates, check_target

        check_candidates(candidates)
        check_target(self._asked, can_write=bool(self._options.yes or self._options.dry_run))

    def _without_equal_candidates(self, session: Session, question: Question) -> Question:
        if question.candidates == 1 or not session.is_greedy(question):
            return question
        self._report.warning(
            "at temperature 0 all candidates are the same, so there is one; "
            "-o temperature=0.8 makes them differ"
        )
        return replace(question, candidates=1)

    def _wait_for(self, loading: Iterator[ModelLoading]) -> None:
        progress = self._progress_line()
        try:
            for event in loading:
                progress.show(event)
                self._output.show_loading(event)
        finally:
            progress.close()

    def _show_plan(self, engine: Engine, session: Session, question: Question) -> int:
        ledger = session.take_stock(question)
        self._output.show_plan(engine.info, ledger)
        from assistant.cli.targets import describe_target

        for sentence in describe_target(self._asked):
            self._report.done(sentence)
        session.require_room(question, ledger)
        return OK

    def _show_answer(self, engine: Engine, session: Session, question: Question) -> int:
        turn = session.ask(question)
        gc.enable()
        self._interrupts.on_first(turn.stream.cancel)
        self._output.begin(question, turn.ledger, engine.info)
        finished: Finished | None = None
        progress = self._progress_line()
        try:
            for event in turn.stream:
                progress.show(event)
                if isinstance(event, TextChunk) and not self._output.is_streaming:
                    progress.show_written(event)
                if isinstance(event, Finished):
                    finished = event
                    self._interrupts.is_over()
                self._output.show(event)
        except OSError:
            turn.stream.cancel()
            raise
        finally:
            progress.close()
            self._output.close()
        assert finished is not None, "an answer stream ends with Finished"
        from assistant.cli.outcome import conclude

        code = conclude(
            finished,
            turn.ledger,
            engine.info,
            self._report,
            stopped_by=self._interrupts.code,
            fails_on_length=bool(self._options.fail_on_length),
        )
        code = self._carry_out(question, finished, code)
        self._say_what_stays(engine)
        return code

    def _say_what_stays(self, engine: Engine) -> None:
        """Once for each engine, where a person reads it."""
        if self._report.wants_notes and (kept := engine.kept) is not None:
            from assistant.cli.outcome import kept_words

            self._report.note(kept_words(kept))

    def _carry_out(self, question: Question, finished: Finished, code: int) -> int:
        if self._asked.target == Target():
            self._output.finish("")
            return code
        from assistant.cli.targets import TargetWriter

        writer = TargetWriter(
            self._asked.target,
            self._output,
            self._report,
            color=self._settings.color,
            is_approved=bool(self._options.yes),
        )
        code = writer.carry_out(question, finished.answers[0], code)
        self._output.finish(writer.written)
        return code

    def _progress_line(self) -> ProgressLine:
        err = self._report.err
        is_wanted = err.isatty() and moves_cursor() and not self._report.is_quiet
        return ProgressLine(err, is_terminal=is_wanted)
