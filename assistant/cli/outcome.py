"""How an answer ended: an exit code, what was cut, and the last line."""

from collections.abc import Sequence

from assistant.backends.base import BackendInfo
from assistant.cli.exit_codes import INTERRUPTED, LENGTH, OK, TIMEOUT
from assistant.cli.report import Report
from assistant.conversation.session import Turn
from assistant.conversation.window import Ledger
from assistant.engine.base import Kept
from assistant.errors import EngineFailed
from assistant.events import Answer, Finished, Reason
from assistant.rendering.quantities import duration_text, size_text

ENDINGS = {
    Reason.REPEATING: "stopped: the answer went round in circles",
    Reason.CONTEXT_FULL: "cut: the model's window is full",
    Reason.DEADLINE: "cut: the time is up",
}


def conclude(
    finished: Finished,
    turn: Turn,
    info: BackendInfo,
    report: Report,
    *,
    stopped_by: int | None = None,
    fails_on_length: bool = False,
) -> int:
    """Says how it went; returns the exit code. Raises `EngineFailed` when the answer failed.

    `stopped_by` is the exit code of the signal that ended it.
    """
    answers, ledger = finished.answers, turn.ledger
    reasons = {answer.reason for answer in answers}
    if reasons == {Reason.FAILED}:
        raise EngineFailed(answers[0].error, answers[0].hint)
    if stopped_by == TIMEOUT:
        report.warning("cut: the time is up; --timeout SECONDS allows more")
    for ending, numbers in _endings(answers, ledger).items():
        which = f"{', '.join(numbers)} of {len(answers)}: "
        report.warning(ending if len(numbers) == len(answers) else which + ending)
    if len(answers) > 1:
        seeds = ", ".join(str(answer.seed) for answer in answers)
        report.done(f"seeds {seeds}; -o seed=… writes one of them again")
    if ledger.leaving:
        report.warning(
            f"left out from here on, to make room: {len(ledger.leaving)} older messages "
            f"(llmchat history show {turn.conversation.name})"
        )
    _say_details(finished, ledger, report)
    report.note(_last_line(finished, turn, info))
    if Reason.STOPPED in reasons:
        return stopped_by or INTERRUPTED
    return LENGTH if Reason.LENGTH in reasons and fails_on_length else OK


def _endings(answers: Sequence[Answer], ledger: Ledger) -> dict[str, list[str]]:
    """What was not as it should be, and of which candidates, by number from 1."""
    found: dict[str, list[str]] = {}
    for answer in answers:
        if ending := _ending(answer, ledger):
            found.setdefault(ending, []).append(str(answer.candidate + 1))
    return found


def _ending(answer: Answer, ledger: Ledger) -> str:
    """What was not as it should be about the end of an answer."""
    if answer.reason is Reason.LENGTH:
        return _cut_by_length(ledger)
    if answer.reason is Reason.FAILED:
        return f"{answer.error} ({answer.hint})"
    return ENDINGS.get(answer.reason, "")


def kept_words(kept: Kept) -> list[str]:
    """What stays in memory after the command, and how to change that; the most important first."""
    time = "until you stop it" if kept.seconds < 0 else f"for {duration_text(kept.seconds)}"
    return [
        f"the model stays loaded {time} ({size_text(kept.memory_bytes)})",
        "llmchat engine stop",
        "llmchat config set keep_alive 0 for never",
    ]


def _cut_by_length(ledger: Ledger) -> str:
    tokens = ledger.max_new_tokens
    if ledger.is_shortened:
        return f"cut: the window had room for {tokens:,} tokens of answer; attach less"
    return f"cut after {tokens:,} tokens; more with -o max_tokens {tokens * 2}"


def _last_line(finished: Finished, turn: Turn, info: BackendInfo) -> list[str]:
    """The most important first."""
    usage, ledger = finished.usage, turn.ledger
    used = usage.prompt_tokens + usage.new_tokens
    read = usage.prompt_tokens - usage.cached_tokens
    speed = usage.decode_tokens_per_second
    return [
        f"{info.name} {info.quantisation}",
        f"{used:,} of {ledger.window:,} tokens",
        f"conversation {turn.conversation.name}",
        *([f"seed {finished.answers[0].seed}"] if len(finished.answers) == 1 else []),
        *([f"{speed:.0f} tokens/s"] if speed else []),
        f"{usage.cached_tokens:,} cached, {read:,} read, {usage.new_tokens:,} written",
    ]


def _say_details(finished: Finished, ledger: Ledger, report: Report) -> None:
    if not report.is_verbose:
        return
    from assistant.rendering.ledger_text import ledger_lines  # few want it

    usage = finished.usage
    for line in ledger_lines(ledger):
        report.detail(line)
    report.detail(f"first token after {usage.seconds_to_first_token:.2f} s")
    report.detail(f"read at {usage.prefill_tokens_per_second:,.0f} tokens/s")
    report.detail(f"written at {usage.decode_tokens_per_second:,.0f} tokens/s")
