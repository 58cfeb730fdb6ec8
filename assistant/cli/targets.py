"""What becomes of the code of an answer besides being shown: a new file, a change, a diff."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from assistant.cli.asked import Target
from assistant.cli.asking import can_ask, require_approval
from assistant.cli.color import has_color
from assistant.cli.report import Report
from assistant.config import Color
from assistant.conversation.session import Question
from assistant.errors import InputError, NotApproved, UsageError
from assistant.events import Answer, Reason

if TYPE_CHECKING:
    from assistant.edits.proposal import Proposal


def check_target(target: Target, files: Sequence[str], *, can_write: bool) -> None:
    """Refuses before the model has worked for nothing: nobody could say yes, or no such folder.

    Raises `NotApproved`, `InputError`.
    """
    if target.file:
        from assistant.edits.proposal import find_place  # few want it

        _, shown, old = find_place(target.file)
        _require_somebody(f"replace {shown}?", can_write=can_write or old is None)
    if target.changes_file:
        _require_somebody(f"write {' '.join(files) or 'the change'}?", can_write=can_write)


def _require_somebody(question: str, *, can_write: bool) -> None:
    if not (can_write or can_ask()):
        raise NotApproved(f"nobody can be asked: {question}", "--yes writes without asking")


def carry_out(
    target: Target,
    question: Question,
    answer: Answer,
    report: Report,
    *,
    color: Color,
    is_approved: bool,
) -> None:
    """Shows the diff, asks, writes. Raises `NotApproved`, `InputError`."""
    if target == Target():
        return
    proposal = _propose(target, question, answer)
    if proposal.is_unchanged:
        report.warning(f"{proposal.shown} stays as it is: the model changed nothing")
        return
    if target.shows_diff:
        _show_diff(proposal, color)
    if not (target.file or target.changes_file):
        return
    if target.changes_file and not target.shows_diff and not is_approved:
        report.text(_diff_for(proposal, sys.stderr.isatty(), has_color(color, sys.stderr)))
    verb = "write" if target.changes_file else "replace"
    is_free = is_approved or proposal.old is None
    require_approval(f"{verb} {proposal.shown}?", is_given=is_free)
    _write(proposal, report)


def _propose(target: Target, question: Question, answer: Answer) -> "Proposal":
    from assistant.edits.proposal import propose_change, propose_file  # few want it

    if answer.reason is not Reason.DONE:
        raise InputError("the answer is not whole, so nothing was written", "-o max_tokens 4096")
    if target.file:
        return propose_file(target.file, answer.text)
    files = [attachment for attachment in question.attachments if attachment.source is not None]
    if len(files) != 1:
        raise UsageError(
            f"{question.prompt.name} changes one file at a time, not {len(files)}",
            f"llmchat {question.prompt.name} FILE --write",
        )
    return propose_change(files[0], answer.text)


def _show_diff(proposal: "Proposal", color: Color) -> None:
    text = _diff_for(proposal, sys.stdout.isatty(), has_color(color, sys.stdout))
    sys.stdout.buffer.write(text.encode(errors="surrogateescape"))
    sys.stdout.flush()


def _diff_for(proposal: "Proposal", is_terminal: bool, has_color: bool) -> str:
    from assistant.rendering.diff_lines import diff_text

    return diff_text(proposal.diff(), is_terminal=is_terminal, has_color=has_color)


def _write(proposal: "Proposal", report: Report) -> None:
    from assistant.edits.safe_write import write_proposal

    warning = write_proposal(proposal)
    if warning:
        report.warning(warning)
    report.done(f"wrote {proposal.shown}; llmchat undo takes it back")
