"""One question from the command line: load, ask, show, and say how it went."""

import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from assistant.attachments.files import read_attachment
from assistant.attachments.stdin import read_stdin
from assistant.cli.exit_codes import INTERRUPTED, OK
from assistant.cli.interrupts import Interrupts
from assistant.cli.options import Options
from assistant.cli.report import Report
from assistant.code_blocks import extract_code
from assistant.config import Color, Settings
from assistant.conversation.session import Question, Turn
from assistant.engine.base import Engine
from assistant.errors import EngineFailed, UsageError
from assistant.events import Finished, ModelLoading, Reason, TextChunk
from assistant.messages import Attachment
from assistant.prompts import Gives, PromptFile, Takes, fence, find_prompt
from assistant.rendering.base import ReasoningMode, Renderer
from assistant.rendering.plain import PlainRenderer
from assistant.rendering.progress import ProgressLine
from assistant.startup import choose_model, open_engine, open_session

ENDINGS = {
    Reason.REPEATING: "stopped: the answer went round in circles",
    Reason.CONTEXT_FULL: "cut: the model's window is full",
    Reason.DEADLINE: "cut: the time is up",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command makes of its words."""

    prompt: str
    text: str = ""
    files: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


SHOWN_LINES = 40  # of a file that a terminal shows again

# What a command cannot do without → what to type.
MISSING = {
    "ask": ("there is no question", 'llmchat "how do I …?"'),
    "explain": ("explain needs a file", "llmchat explain FILE"),
    "summarize": ("summarize needs a file", "llmchat summarize FILE"),
    "translate": ("translate needs a file", "llmchat translate --to LANGUAGE FILE"),
    "generate": ("generate needs a description", 'llmchat generate "a function that …"'),
    "complete": ("complete needs code on standard input", "llmchat complete < FILE"),
}


def answer(asked: Asked, options: Options) -> int:
    """Answer on standard output; returns the exit code. Raises `AssistantError`."""
    settings, reasoning = options.settings(), options.reasoning_mode()
    color = {stream: has_color(settings.color, stream) for stream in (sys.stdout, sys.stderr)}
    report = Report(sys.stderr, is_quiet=bool(options.quiet), has_color=color[sys.stderr])
    if not (asked.text.strip() or asked.files or _is_piped()):
        raise UsageError(*MISSING[asked.prompt])
    spec = choose_model(settings)
    with Interrupts() as interrupts:
        engine = open_engine(spec)
        try:
            loading = engine.load()  # goes on in its own thread while prompt and files are read
            prompt = find_prompt(asked.prompt)
            question = _question(asked, prompt, settings, report)
            _wait_for(loading, report)
            session = open_session(engine, settings)
            if options.show_prompt:
                from assistant.rendering.prompt_text import write_prompt  # few want it

                write_prompt(session.render(question), sys.stdout, has_color=color[sys.stdout])
                return OK
            turn = session.ask(question)
            interrupts.on_first(turn.stream.cancel)
            wants_code = options.extract if options.extract is not None else _gives_code(prompt)
            renderer = _renderer(reasoning, color[sys.stdout] and not wants_code)
            if prompt.shows_files and sys.stdout.isatty() and color[sys.stdout]:
                _show_files(question, renderer)
            finished = _show(turn, renderer, report, wants_code=wants_code)
            return _conclude(finished, turn, engine, report)
        finally:
            engine.close()


def has_color(color: Color, stream: TextIO) -> bool:
    """https://no-color.org and the two variables that force colour, unless a flag says."""
    if color is not Color.AUTO:
        return color is Color.ALWAYS
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("CLICOLOR_FORCE") or os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and moves_cursor()


def moves_cursor() -> bool:
    """Whether a terminal, if there is one, obeys more than line ends."""
    return os.environ.get("TERM", "dumb") != "dumb"


# ── before the answer ───────────────────────────────────────────────────────────────────────


def _question(asked: Asked, prompt: PromptFile, settings: Settings, report: Report) -> Question:
    attachments = _attachments(asked, prompt, settings)
    for attachment in attachments:
        if attachment.notice:
            report.warning(f"{attachment.name}: {attachment.notice}")
    if not (asked.text.strip() or attachments):
        raise UsageError(*MISSING[asked.prompt])
    if asked.text.strip() or Takes.QUESTION not in prompt.needs:
        return Question(prompt, asked.text, attachments, variables=asked.variables)
    # Nothing but standard input: it is the question.
    return Question(prompt, attachments[-1].text.rstrip("\n"), attachments[:-1])


def _attachments(asked: Asked, prompt: PromptFile, settings: Settings) -> tuple[Attachment, ...]:
    stdin = sys.stdin.buffer
    given = [read_attachment(name, stdin, settings.max_input) for name in asked.files]
    if Takes.STDIN in prompt.takes and not asked.files and _is_piped():
        piped = read_stdin(stdin, settings.max_input)
        given += [piped] if piped is not None else []
    return tuple(given)


def _is_piped() -> bool:
    """Whether something may come on standard input: a pipe, a file or a socket."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return not stat.S_ISCHR(mode)


def _wait_for(loading: Iterator[ModelLoading], report: Report) -> None:
    progress = _progress_line(report)
    try:
        for event in loading:
            progress.show(event)
    finally:
        progress.close()


def _progress_line(report: Report) -> ProgressLine:
    is_wanted = report.err.isatty() and moves_cursor() and not report.is_quiet
    return ProgressLine(report.err, is_terminal=is_wanted)


# ── the answer ──────────────────────────────────────────────────────────────────────────────


def _gives_code(prompt: PromptFile) -> bool:
    """A prompt that gives code gives only code to a pipe; a person sees the whole answer."""
    return prompt.gives is Gives.CODE and not sys.stdout.isatty()


def _renderer(reasoning: ReasoningMode | None, has_color: bool) -> Renderer:
    is_terminal = sys.stdout.isatty()
    mode = reasoning or (ReasoningMode.SHOW if is_terminal else ReasoningMode.HIDE)
    if not has_color:
        return PlainRenderer(sys.stdout.buffer, mode, is_terminal=is_terminal)
    if is_terminal and moves_cursor():
        from assistant.rendering.pretty import PrettyRenderer  # pipes do without it

        return PrettyRenderer(sys.stdout, mode)
    from assistant.rendering.final_lines import FinalLinesRenderer  # few want it

    return FinalLinesRenderer(sys.stdout, mode)


def _show_files(question: Question, renderer: Renderer) -> None:
    """Short files, highlighted, above what is said about them."""
    for attachment in question.attachments:
        if attachment.text.count("\n") <= SHOWN_LINES:
            renderer.show(TextChunk(fence(attachment.text, attachment.language) + "\n\n"))


def _show(turn: Turn, renderer: Renderer, report: Report, *, wants_code: bool) -> Finished:
    progress = _progress_line(report)
    try:
        for event in turn.stream:
            progress.show(event)
            if isinstance(event, Finished):
                if wants_code:
                    renderer.show(TextChunk(extract_code(event.answers[0].text)))
                renderer.show(event)
                return event
            if not wants_code:
                renderer.show(event)
        raise AssertionError("an answer stream ends with Finished")
    except OSError:
        turn.stream.cancel()
        raise
    finally:
        progress.close()
        renderer.close()


# ── after the answer ────────────────────────────────────────────────────────────────────────


def _conclude(finished: Finished, turn: Turn, engine: Engine, report: Report) -> int:
    answer = finished.answers[0]
    if answer.reason is Reason.FAILED:
        raise EngineFailed(answer.error, answer.hint)
    if answer.reason is Reason.LENGTH:
        report.warning(_cut_by_length(turn))
    elif answer.reason in ENDINGS:
        report.warning(ENDINGS[answer.reason])
    report.note(_last_line(finished, turn, engine))
    return INTERRUPTED if answer.reason is Reason.STOPPED else OK


def _cut_by_length(turn: Turn) -> str:
    tokens = turn.ledger.max_new_tokens
    if turn.ledger.is_shortened:
        return f"cut: the window had room for {tokens:,} tokens of answer; attach less"
    return f"cut after {tokens:,} tokens; more with -o max_tokens {tokens * 2}"


def _last_line(finished: Finished, turn: Turn, engine: Engine) -> list[str]:
    """The most important first."""
    usage, info = finished.usage, engine.info
    used = usage.prompt_tokens + usage.new_tokens
    read = usage.prompt_tokens - usage.cached_tokens
    speed = usage.decode_tokens_per_second
    return [
        f"{info.name} {info.quantisation}",
        f"{used:,} of {turn.ledger.window:,} tokens",
        f"seed {finished.answers[0].seed}",
        *([f"{speed:.0f} tokens/s"] if speed else []),
        f"{usage.cached_tokens:,} cached, {read:,} read, {usage.new_tokens:,} written",
    ]
