"""One question from the command line: read it, ask, show, and say how it went."""

import gc
import sys
from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from msgspec.structs import replace

from assistant.cli.asked import Asked, Target
from assistant.cli.color import has_color
from assistant.cli.exit_codes import OK
from assistant.cli.interrupts import Interrupts
from assistant.cli.loaded_engine import progress_line
from assistant.cli.options import Options, as_text
from assistant.cli.reading import QuestionReader
from assistant.cli.report import Report
from assistant.config import Settings
from assistant.conversation.questions import Question
from assistant.conversation.session import Session
from assistant.conversation.window import Ledger
from assistant.engine.base import Engine
from assistant.errors import AssistantError
from assistant.events import Finished, ModelLoading, TextChunk
from assistant.prompts.finding import find_prompt
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
            session = self._open_session(engine)
            try:
                self._wait_for(loading)
                return self._ask(engine, session, question)
            finally:
                for notice in session.notices:
                    self._report.warning(notice)
                session.close()

    def _open_session(self, engine: Engine) -> Session:
        resume, options = None, self._options
        if options.continue_ or options.conversation:
            from assistant.conversation.message_names import split_name

            resume = split_name(as_text(options.conversation or ""))
        return open_session(engine, self._settings, resume=resume, has_notes=not options.no_config)

    def _ask(self, engine: Engine, session: Session, question: Question) -> int:
        question = self._without_equal_candidates(session, question)
        if self._options.show_prompt:
            self._output.show_prompt(session.render(question))
            return OK
        if self._options.dry_run:
            return self._show_plan(engine, session, question)
        if self._options.show_context:
            self._say_plan(session.take_stock(question))
        code = self._make_room(session, question)
        return self._show_answer(engine, session, question) if code == OK else code

    def _say_plan(self, ledger: Ledger) -> None:
        from assistant.rendering.ledger_text import ledger_lines  # few want it

        for line in ledger_lines(ledger):
            self._report.detail(line)

    def _make_room(self, session: Session, question: Question) -> int:
        """The older half of a conversation that fills the window becomes a summary."""
        compaction = session.compaction(question)
        if compaction is None:
            return OK
        from assistant.cli.compacting import compact  # few conversations get so long

        return compact(compaction, self._report, progress_line(self._report), self._interrupts)

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
        progress = progress_line(self._report)
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
        session.require_room(question)
        return OK

    def _show_answer(self, engine: Engine, session: Session, question: Question) -> int:
        turn = session.ask(question)
        gc.enable()
        self._interrupts.on_first(turn.stream.cancel)
        self._output.begin(question, turn, engine.info)
        finished: Finished | None = None
        progress = progress_line(self._report)
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
            turn,
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
