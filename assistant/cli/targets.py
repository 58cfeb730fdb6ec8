"""What becomes of the code of an answer besides being shown: a new file, a change, a diff."""

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from assistant.attachments.names import STDIN, is_folder
from assistant.cli.asked import Asked, Target
from assistant.cli.asking import can_ask, require_approval
from assistant.cli.color import has_color
from assistant.cli.exit_codes import GENERAL
from assistant.cli.output import Output
from assistant.cli.report import Report
from assistant.code_blocks import has_code
from assistant.config import Color
from assistant.conversation.questions import Question
from assistant.errors import InputError, NotApproved, UsageError
from assistant.events import Answer, Reason

if TYPE_CHECKING:
    from assistant.edits.proposal import Proposal


def check_target(asked: Asked, *, can_write: bool) -> None:
    """Refuses before the model has worked for nothing: nobody could say yes, no such folder …

    Raises `NotApproved`, `InputError`, `UsageError`.
    """
    target = asked.target
    if target.file is not None:
        from assistant.edits.proposal import propose_file  # few want it

        if target.file == STDIN:
            raise UsageError("-w - would be standard output", "leave -w out")
        old = propose_file(target.file, "anything")
        is_free = old.old is None and not old.is_link
        _require_somebody(f"replace {old.shown}?", can_write=can_write or is_free)
    if target.shows_diff or target.changes_file:
        _check_one_file(asked)
    if target.changes_file:
        _require_somebody(f"write {asked.files[0]}?", can_write=can_write)


def check_candidates(candidates: int) -> None:
    """Raises `UsageError`: only one answer has a place to go."""
    if candidates > 1:
        raise UsageError("of several answers none can be chosen to be written", "leave -n out")


def _check_one_file(asked: Asked) -> None:
    hint = f"llmchat {asked.prompt} FILE --diff"
    if len(asked.files) != 1:
        many = (
            f"not {len(asked.files)}; others go after -f" if asked.files else "and needs its name"
        )
        raise UsageError(f"{asked.prompt} changes one file at a time, {many}", hint)
    (name,) = asked.files
    if name == STDIN or is_folder(name):
        kind = "standard input" if name == STDIN else f"the folder {name}"
        raise UsageError(f"{asked.prompt} changes a file, not {kind}", hint)


def describe_target(asked: Asked) -> Iterator[str]:
    """What would be written, for who only wants to know."""
    if asked.target.file is not None:
        yield f"would write {asked.target.file}"
    if asked.target.changes_file:
        yield f"would change {asked.files[0]}, after asking"


def _require_somebody(question: str, *, can_write: bool) -> None:
    if not (can_write or can_ask()):
        raise NotApproved(f"nobody can be asked: {question}", "--yes writes without asking")


class TargetWriter:
    """Shows the diff, asks, writes. `written` is the file that was, as visible text, or ""."""

    def __init__(
        self, target: Target, output: Output, report: Report, *, color: Color, is_approved: bool
    ) -> None:
        self._target = target
        self._output = output
        self._report = report
        self._color = color
        self._is_approved = is_approved
        self.written = ""

    def carry_out(self, question: Question, answer: Answer, code: int) -> int:
        """Returns the exit code: `code`, unless a cut answer made it worse.

        Raises `NotApproved`, `InputError`.
        """
        if self._target == Target():
            return code
        if answer.reason is not Reason.DONE:
            self._report.warning("nothing was written: the answer is not whole")
            return code or GENERAL
        proposal = self._propose(question, answer)
        if proposal.is_unchanged:
            self._report.warning(f"{proposal.shown} stays as it is: the model changed nothing")
            return code
        if self._target.shows_diff:
            self._output.show_diff(proposal.diff())
        if self._target.file is not None or self._target.changes_file:
            self._write(proposal)
        return code

    def _propose(self, question: Question, answer: Answer) -> "Proposal":
        from assistant.edits.proposal import propose_change, propose_file  # few want it

        if self._target.file is not None:
            proposal = propose_file(self._target.file, answer.text)
            self._check_fence(answer, proposal)
            return proposal
        return propose_change(question.attachments[0], answer.text)

    def _check_fence(self, answer: Answer, proposal: "Proposal") -> None:
        """Words must not take the place of code; a new file may hold what a person reads first."""
        if has_code(answer.text):
            return
        if proposal.old is not None:
            raise InputError(
                f"the answer holds no fenced code, so {proposal.shown} stays as it is",
                "ask again",
            )
        self._report.warning("the answer holds no fenced code: all of it was written")

    def _write(self, proposal: "Proposal") -> None:
        from assistant.edits.safe_write import write_proposal  # few want it

        changes = self._target.changes_file
        if changes and not self._target.shows_diff and not self._is_approved:
            self._report.text(self._diff_to_approve(proposal))
        if proposal.loses_much and self._is_approved:
            raise NotApproved(
                f"{proposal.shown}: {proposal.loses_much}", "without --yes you are asked"
            )
        if proposal.loses_much:
            self._report.warning(proposal.loses_much)
        question = f"{'replace' if proposal.old is not None else 'write'} {proposal.shown}?"
        is_free = proposal.old is None and not proposal.is_link
        require_approval(question, is_given=self._is_approved or is_free)
        warning = write_proposal(proposal)
        if warning:
            self._report.warning(warning)
        self.written = proposal.shown
        self._report.done(f"wrote {proposal.shown}; llmchat undo takes it back")

    def _diff_to_approve(self, proposal: "Proposal") -> str:
        from assistant.rendering.diff_lines import diff_text

        color = has_color(self._color, sys.stderr)
        return diff_text(proposal.diff(), is_terminal=sys.stderr.isatty(), has_color=color)
