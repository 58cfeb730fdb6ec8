"""What becomes of an answer on standard output: text, only its code, a JSON object, or events."""

import sys
from typing import Any, Protocol

from assistant.backends.base import BackendInfo
from assistant.cli.asked import Target
from assistant.cli.color import has_color, moves_cursor
from assistant.cli.exit_codes import exit_code
from assistant.code_blocks import extract_code
from assistant.config import Settings
from assistant.conversation.questions import Question
from assistant.conversation.session import Turn
from assistant.conversation.window import Ledger
from assistant.errors import AssistantError
from assistant.events import Answer, Event, Finished, ModelLoading, Reason, TextChunk
from assistant.messages import Rendered
from assistant.prompts.contents import fence
from assistant.prompts.prompt_file import Gives
from assistant.rendering.base import ReasoningMode, Renderer
from assistant.rendering.candidates import CandidatesRenderer
from assistant.rendering.plain import PlainRenderer

SHOWN_LINES = 40  # of a file that a terminal shows again


class Output(Protocol):
    """Called in the order of its members; `fail` ends it at any time.

    `is_streaming`: a person sees the text arrive, so nothing else need tell of progress.
    """

    @property
    def is_streaming(self) -> bool: ...

    def show_loading(self, event: ModelLoading) -> None: ...

    def show_prompt(self, rendered: Rendered) -> None: ...

    def show_plan(self, info: BackendInfo, ledger: Ledger) -> None: ...

    def begin(self, question: Question, turn: Turn, info: BackendInfo) -> None: ...

    def show(self, event: Event) -> None: ...

    def close(self) -> None:
        """The answer has ended, however it did."""

    def show_diff(self, diff: str) -> None: ...

    def finish(self, written: str) -> None:
        """All is done; `written` is the file that was, or ""."""

    def fail(self, error: AssistantError) -> None: ...


def open_output(settings: Settings, target: Target, *, wants_code: bool | None) -> Output:
    """`wants_code`: what -x says, None when it says nothing."""
    if settings.output == "text":
        return TextOutput(settings, target, wants_code=wants_code)
    return JsonOutput(is_stream=settings.output == "stream-json")


def code_of(answer: Answer, question: Question) -> str:
    """The code that an answer is read for.

    Of a prompt that gives a file it is what would replace the attached text. Raises `InputError`
    when a whole answer holds nothing that could.
    """
    is_whole = answer.reason is Reason.DONE
    if question.prompt.gives is not Gives.FILE or not is_whole or not question.attachments:
        return extract_code(answer.text)
    from assistant.edits.answer_code import replacing_code  # few want it

    file = question.attachments[0]
    return replacing_code(answer.text, file.text, file.name)


class TextOutput:
    """The answer as a person or a pipe wants it."""

    def __init__(self, settings: Settings, target: Target, *, wants_code: bool | None) -> None:
        self._settings = settings
        self._target = target
        self._wants_code = wants_code
        self._has_color = has_color(settings.color, sys.stdout)
        self._question: Question | None = None
        self._renderer: Renderer | None = None

    @property
    def is_streaming(self) -> bool:
        return self._renderer is not None and not self._wants_code

    def show_loading(self, event: ModelLoading) -> None:
        """Progress is for standard error."""

    def show_prompt(self, rendered: Rendered) -> None:
        from assistant.rendering.prompt_text import write_prompt  # few want it

        write_prompt(rendered, sys.stdout, has_color=self._has_color)

    def show_plan(self, info: BackendInfo, ledger: Ledger) -> None:
        from assistant.rendering.ledger_text import write_plan  # few want it

        write_plan(info, ledger, sys.stdout)

    def begin(self, question: Question, _turn: Turn, _info: BackendInfo) -> None:
        self._question = question
        if self._wants_code is None:
            gives_code = question.prompt.gives in (Gives.CODE, Gives.FILE)
            self._wants_code = gives_code and not sys.stdout.isatty()
        if self._is_silent():
            return
        self._renderer = self._renderer_for(question)
        if question.prompt.shows_files and sys.stdout.isatty() and self._has_color:
            self._show_files(question)

    def show(self, event: Event) -> None:
        if self._renderer is None:
            return
        if not self._wants_code or isinstance(self._renderer, CandidatesRenderer):
            self._renderer.show(event)
        elif isinstance(event, Finished):
            assert self._question is not None
            self._renderer.show(TextChunk(code_of(event.answers[0], self._question)))
            self._renderer.show(event)

    def close(self) -> None:
        if self._renderer is not None:
            self._renderer.close()

    def show_diff(self, diff: str) -> None:
        from assistant.rendering.diff_lines import diff_text  # few want it

        is_terminal = sys.stdout.isatty() or self._has_color
        text = diff_text(diff, is_terminal=is_terminal, has_color=self._has_color)
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode(errors="surrogateescape"))
        sys.stdout.flush()

    def finish(self, written: str) -> None:
        """Standard error says it."""

    def fail(self, error: AssistantError) -> None:
        """Errors are for standard error."""

    def _is_silent(self) -> bool:
        """A diff says it all; a pipe is not for what goes into a file."""
        target = self._target
        goes_into_a_file = target.file is not None or target.changes_file
        return target.shows_diff or (goes_into_a_file and not sys.stdout.isatty())

    def _renderer_for(self, question: Question) -> Renderer:
        is_markdown = not self._wants_code
        if question.candidates == 1:
            return self._open_renderer(is_markdown=is_markdown)
        return CandidatesRenderer(
            sys.stdout,
            question.candidates,
            lambda: self._open_renderer(is_markdown=is_markdown),
            text_of=lambda answer: answer.text if is_markdown else code_of(answer, question),
            is_streaming=is_markdown,
        )

    def _open_renderer(self, *, is_markdown: bool) -> Renderer:
        is_terminal = sys.stdout.isatty()
        default = ReasoningMode.SHOW if is_terminal else ReasoningMode.HIDE
        mode = ReasoningMode(self._settings.reasoning) if self._settings.reasoning else default
        if not (self._has_color and is_markdown):
            return PlainRenderer(sys.stdout.buffer, mode, is_terminal=is_terminal)
        if is_terminal and moves_cursor():
            from assistant.rendering.pretty import PrettyRenderer  # pipes do without it

            return PrettyRenderer(sys.stdout, mode)
        from assistant.rendering.final_lines import FinalLinesRenderer  # few want it

        return FinalLinesRenderer(sys.stdout, mode)

    def _show_files(self, question: Question) -> None:
        """Short files, highlighted, above what is said about them."""
        assert self._renderer is not None
        for attachment in question.attachments:
            if attachment.text.count("\n") <= SHOWN_LINES:
                code = fence(attachment.text, attachment.language)
                self._renderer.show(TextChunk(code + "\n\n"))


class JsonOutput:
    """For programs."""

    is_streaming = False

    def __init__(self, *, is_stream: bool) -> None:
        from assistant.rendering.json_lines import JsonAnswer  # few want it

        self._answer = JsonAnswer(sys.stdout, is_stream=is_stream)
        self._done: dict[str, Any] = {}

    def show_loading(self, event: ModelLoading) -> None:
        self._answer.show(event)

    def show_prompt(self, rendered: Rendered) -> None:
        from assistant.rendering.json_lines import prompt_object

        self._answer.write(prompt_object(rendered))

    def show_plan(self, info: BackendInfo, ledger: Ledger) -> None:
        from assistant.rendering.json_lines import ledger_object

        self._answer.write(ledger_object(info, ledger))

    def begin(self, question: Question, turn: Turn, info: BackendInfo) -> None:
        from assistant.rendering.json_lines import ledger_object

        def find_code(answer: Answer) -> str:
            try:
                return code_of(answer, question)
            except AssistantError:
                return ""

        kept = {"conversation": turn.conversation.name, "message": turn.numbers[0]}
        self._answer.begin({**ledger_object(info, turn.ledger), **kept}, find_code)

    def show(self, event: Event) -> None:
        self._answer.show(event)

    def close(self) -> None:
        """The object comes when all is done."""

    def show_diff(self, diff: str) -> None:
        self._done["diff"] = diff

    def finish(self, written: str) -> None:
        if written:
            self._done["written"] = written
        self._answer.finish(self._done)

    def fail(self, error: AssistantError) -> None:
        self._answer.fail(error, exit_code(error))
