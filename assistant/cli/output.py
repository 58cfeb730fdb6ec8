"""What becomes of an answer on standard output: text, only its code, a JSON object, or events."""

import sys
from typing import Protocol

from assistant.backends.base import BackendInfo
from assistant.cli.asked import Target
from assistant.cli.color import has_color, moves_cursor
from assistant.cli.exit_codes import exit_code
from assistant.code_blocks import extract_code
from assistant.config import Settings
from assistant.conversation.session import Question
from assistant.conversation.window import Ledger
from assistant.errors import AssistantError
from assistant.events import Event, Finished, ModelLoading, TextChunk
from assistant.prompts.contents import fence
from assistant.prompts.prompt_file import Gives
from assistant.rendering.base import ReasoningMode, Renderer
from assistant.rendering.plain import PlainRenderer

SHOWN_LINES = 40  # of a file that a terminal shows again


class Output(Protocol):
    """`is_streaming`: a person sees the text arrive, so nothing else need tell of progress."""

    @property
    def is_streaming(self) -> bool: ...

    def show_loading(self, event: ModelLoading) -> None: ...

    def show_plan(self, info: BackendInfo, ledger: Ledger) -> None: ...

    def begin(self, question: Question, ledger: Ledger, info: BackendInfo) -> None: ...

    def show(self, event: Event) -> None: ...

    def close(self) -> None: ...

    def fail(self, error: AssistantError) -> None: ...


def open_output(settings: Settings, target: Target, *, wants_code: bool | None) -> Output:
    """`wants_code`: what -x says, None when it says nothing."""
    if settings.output == "text":
        return TextOutput(settings, target, wants_code=wants_code)
    return JsonOutput(is_stream=settings.output == "stream-json")


class TextOutput:
    """The answer as a person or a pipe wants it."""

    def __init__(self, settings: Settings, target: Target, *, wants_code: bool | None) -> None:
        self._settings = settings
        self._target = target
        self._wants_code = wants_code
        self._has_color = has_color(settings.color, sys.stdout)
        self._renderer: Renderer | None = None

    @property
    def is_streaming(self) -> bool:
        return self._renderer is not None and not self._wants_code

    def show_loading(self, event: ModelLoading) -> None:
        """Progress is for standard error."""

    def show_plan(self, info: BackendInfo, ledger: Ledger) -> None:
        from assistant.rendering.ledger_text import ledger_lines  # few want it

        lines = [f"{info.name} {info.quantisation}", *ledger_lines(ledger)]
        sys.stdout.write("".join(f"{line}\n" for line in lines))

    def begin(self, question: Question, _ledger: Ledger, _info: BackendInfo) -> None:
        if self._wants_code is None:
            gives_code = question.prompt.gives in (Gives.CODE, Gives.FILE)
            self._wants_code = gives_code and not sys.stdout.isatty()
        if self._is_silent():
            return
        self._renderer = self._open_renderer(is_markdown=not self._wants_code)
        if question.prompt.shows_files and sys.stdout.isatty() and self._has_color:
            self._show_files(question)

    def _is_silent(self) -> bool:
        """A diff says it all; a pipe is not for what goes into a file."""
        target = self._target
        goes_into_a_file = bool(target.file or target.changes_file)
        return target.shows_diff or (goes_into_a_file and not sys.stdout.isatty())

    def show(self, event: Event) -> None:
        if self._renderer is None:
            return
        if not self._wants_code:
            self._renderer.show(event)
        elif isinstance(event, Finished):
            self._renderer.show(TextChunk(extract_code(event.answers[0].text)))
            self._renderer.show(event)

    def close(self) -> None:
        if self._renderer is not None:
            self._renderer.close()

    def fail(self, error: AssistantError) -> None:
        """Errors are for standard error."""

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
        from assistant.rendering.json_lines import JsonLines, JsonObject  # few want it

        self._renderer = JsonLines(sys.stdout) if is_stream else JsonObject(sys.stdout)

    def show_loading(self, event: ModelLoading) -> None:
        self._renderer.show(event)

    def show_plan(self, info: BackendInfo, ledger: Ledger) -> None:
        from assistant.rendering.json_lines import ledger_object, write_object

        write_object(ledger_object(info, ledger), sys.stdout)

    def begin(self, _question: Question, ledger: Ledger, info: BackendInfo) -> None:
        self._renderer.begin(info, ledger)

    def show(self, event: Event) -> None:
        self._renderer.show(event)

    def close(self) -> None:
        """Every line is written when it comes."""

    def fail(self, error: AssistantError) -> None:
        self._renderer.fail(error, exit_code(error))
