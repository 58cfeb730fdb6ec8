"""Copies through the terminal and, in a thread, through the system's own tool."""

import threading
from typing import TypeVar

from textual.app import App

from assistant.tui.clipboard import fits_terminal, give_to_system

Result = TypeVar("Result")


def copy_text(app: App[Result], text: str) -> None:
    if fits_terminal(text):
        app.copy_to_clipboard(text)
    threading.Thread(target=give_to_system, args=(text,), name="clipboard", daemon=True).start()
