"""The user's editor in place of the chat, until it ends."""

from typing import TypeVar

from textual.app import App, SuspendNotSupported

from assistant.editor import compose
from assistant.errors import AssistantError

Result = TypeVar("Result")


def edit_text(app: App[Result], text: str) -> str:
    """What the user makes of the text; the screen stands still meanwhile.

    Raises `AssistantError` when there is no editor, or it fails.
    """
    failure: AssistantError | None = None
    try:
        with app.suspend():
            try:
                return compose(text)
            except AssistantError as err:  # raised in there, it would leave the screen dark
                failure = err
        raise failure
    except SuspendNotSupported as err:
        raise AssistantError(
            "this terminal cannot be left to an editor", "write the text here"
        ) from err
