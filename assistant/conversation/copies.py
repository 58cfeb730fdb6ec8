"""Copies in memory of the conversations that this process uses, should the disk fail."""

from collections.abc import Sequence

from msgspec.structs import replace

from assistant.conversation.records import Conversation, StoredMessage

MOST = 8  # conversations; those that were used last


class Copies:
    """Nothing is known here of what was not told."""

    def __init__(self) -> None:
        self._conversations: dict[str, Conversation] = {}
        self._messages: dict[str, dict[int, StoredMessage]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._conversations

    def keep(
        self,
        name: str,
        conversation: Conversation | None = None,
        messages: Sequence[StoredMessage] = (),
    ) -> None:
        """Without `conversation` it is the one that was told last, if any."""
        conversation = conversation or self._conversations.get(name)
        if conversation is None:
            return
        self._conversations.pop(name, None)
        self._conversations[name] = conversation
        kept = self._messages.setdefault(name, {})
        kept.update((message.number, message) for message in messages)
        while len(self._conversations) > MOST:
            self.forget(next(iter(self._conversations)))

    def extend(self, name: str, number: int, text: str, reasoning: str) -> None:
        old = self._messages.get(name, {}).get(number)
        if old is not None:
            longer = replace(old, text=old.text + text, reasoning=old.reasoning + reasoning)
            self._messages[name][number] = longer

    def forget(self, name: str) -> None:
        self._conversations.pop(name, None)
        self._messages.pop(name, None)

    def get(self, name: str) -> tuple[Conversation, list[StoredMessage]] | None:
        conversation = self._conversations.get(name)
        if conversation is None:
            return None
        messages = self._messages[name]
        return conversation, [messages[number] for number in sorted(messages)]
