"""An address from a message is opened only after somebody has seen all of it and said yes."""

import webbrowser
from urllib.parse import urlsplit

from textual.screen import Screen

from assistant.tui.screens.confirm import ConfirmScreen
from assistant.visible_text import visible

OPENED = ("http", "https")


def ask_about_link(screen: Screen[None], url: str) -> None:
    """Other schemes are shown and never opened."""
    shown = visible(url)
    if not may_open(url):
        screen.notify(f"not opened: {shown}", severity="warning", markup=False)
        return

    def decided(is_yes: bool | None) -> None:
        if is_yes:
            webbrowser.open(url)

    screen.app.push_screen(ConfirmScreen("Open this address in the browser?", shown), decided)


def may_open(url: str) -> bool:
    """A web address that is spelt with what an address may hold."""
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in OPENED and bool(parts.hostname)
    except ValueError:
        return False
    return is_web and url.isprintable() and " " not in url
