"""How the chat reads its terminal: as Textual does, but for pastes, which come whole."""

import os
import selectors
from codecs import getincrementaldecoder
from contextlib import suppress

from textual._parser import ParseError
from textual.drivers.linux_driver import LinuxDriver

from assistant.tui.paste_parser import PasteParser

READ_BYTES = 64 << 10
POLL_SECONDS = 0.1


class ChatDriver(LinuxDriver):
    """For `App(driver_class=ChatDriver)`, on Linux and macOS."""

    def run_input_thread(self) -> None:
        parser = PasteParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                data = b""
                if selector.select(POLL_SECONDS):
                    data = os.read(self.fileno, READ_BYTES)
                    if not data:  # the end, which is there at once again
                        self.exit_event.wait(POLL_SECONDS)
                self._pass_on(parser, decode(data))
        with suppress(EOFError, ParseError):
            list(parser.feed(""))

    def _pass_on(self, parser: PasteParser, text: str) -> None:
        for message in parser.feed(text) if text else ():
            self.process_message(message)
        for message in parser.tick():
            self.process_message(message)
