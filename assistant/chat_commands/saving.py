"""Files that a chat writes: what has to be asked first, and what is said when it is done."""

from assistant.chat_commands.effects import Say, WriteFile
from assistant.chat_commands.wording import as_code
from assistant.edits.proposal import Proposal
from assistant.edits.safe_write import write_proposal
from assistant.edits.undo import Outcome
from assistant.edits.undo import undo_last as undo_last_write


def writing_of(proposal: Proposal) -> Say | WriteFile:
    """With a question wherever something that is there would go."""
    if proposal.is_unchanged:
        return Say(f"{as_code(proposal.shown)} holds that already.")
    if proposal.old is None and not proposal.is_link:
        return WriteFile(proposal)
    loses = f"{proposal.loses_much}; " if proposal.loses_much else ""
    verb = "write" if proposal.old is None else "replace"
    return WriteFile(proposal, f"{loses}{verb} {proposal.shown}?")


def write(proposal: Proposal) -> str:
    """Writes it and says so. Raises `InputError`; then nothing has changed."""
    warning = write_proposal(proposal)
    said = f"Wrote {as_code(proposal.shown)}; `/undo` takes it back."
    return f"{said} {warning}".rstrip()


def undo() -> str:
    """Takes the newest write back and says what that did. Raises `InputError`."""
    undone = undo_last_write()
    shown = as_code(undone.entry.shown)
    match undone.outcome:
        case Outcome.REMOVED:
            return f"{shown} is gone again: it was new."
        case Outcome.ALREADY:
            return f"{shown} was as before already."
        case _:
            return f"{shown} is as it was before."
