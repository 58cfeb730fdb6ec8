"""`!command` lines: what they print is shown, and goes along with the next question."""

import threading
from functools import partial
from typing import TYPE_CHECKING

from assistant.attachments.shell import ShellCommand, ShellResult, attachment_of, shown_ending
from assistant.errors import AssistantError
from assistant.messages import Attachment
from assistant.prompts.contents import fence

if TYPE_CHECKING:
    from assistant.tui.screens.chat import ChatScreen


class ShellLines:
    """One command at a time; its output is attached unless /detach says otherwise."""

    def __init__(self, screen: "ChatScreen") -> None:
        self._screen = screen
        self._running: ShellCommand | None = None
        self._thread: threading.Thread | None = None
        self.running = ""  # the program

    def run(self, line: str) -> None:
        if self._running is not None:
            self._screen.status.say("a command runs already; Esc stops it")
            self._screen.composer.set_text(f"!{line}")
            return
        self._running = command = ShellCommand(line)
        self.running = line.split()[0]
        self._screen.telling.rest()
        self._thread = threading.Thread(
            target=self._run, args=(command,), name="shell", daemon=True
        )
        self._thread.start()

    def stop(self) -> bool:
        """Whether there was anything to stop."""
        if (running := self._running) is None:
            return False
        running.cancel()
        return True

    def settle(self, seconds: float) -> None:
        """For the end, from any thread: waits until what runs has been ended."""
        if self.stop() and self._thread is not None:
            self._thread.join(seconds)

    def _run(self, command: ShellCommand) -> None:
        call = self._screen.call_soon
        try:
            result = command.run()
        except AssistantError as err:
            call(partial(self._failed, err))
        else:
            call(partial(self._ended, result))

    def _ended(self, result: ShellResult) -> None:
        self._settle()
        screen = self._screen
        words = f"$ {result.command}: {shown_ending(result)}; goes along with the next question"
        screen.say(words, markdown=fence(result.output, "") if result.output else "")
        output: Attachment = attachment_of(result)
        screen.chat.attachments = (*screen.chat.attachments, output)
        screen.show_attachments()

    def _failed(self, error: AssistantError) -> None:
        self._settle()
        self._screen.show_error(error)

    def _settle(self) -> None:
        self._running, self.running = None, ""
        self._screen.telling.rest()
