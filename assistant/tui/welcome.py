"""What an empty conversation shows: the model, what it is good for, what to try, where help is."""

from assistant.chat_commands.chat import Chat
from assistant.chat_commands.conversation_commands import read_history
from assistant.engine.remote_spec import leaves_machine
from assistant.model_store.local_models import STARTER

STARTER_WORDS = (
    "This is the starter, a small general model to try things with: fluent, and often wrong about "
    "code. `/model` shows others."
)
OWN_WORDS = "It runs on this machine; nothing you type leaves it."
REMOTE_WORDS = "It runs on a server: what you send leaves this machine."


def welcome_to(chat: Chat) -> str:
    """Markdown."""
    model = chat.settings.model
    is_first = not read_history(chat, lambda store: store.conversations(1))
    return welcome(model, is_first_time=is_first, is_remote=leaves_machine(model))


def welcome(model: str, *, is_first_time: bool, is_remote: bool = False) -> str:
    """Markdown. `model` is the setting, "" for the starter."""
    about = STARTER_WORDS if model in ("", STARTER) else OWN_WORDS
    about = REMOTE_WORDS if is_remote else about
    tries = "\n".join(
        (
            '- ask something: "how do I reverse a list in place?"',
            "- `/explain @src/app.py` or a question about a file: `@` attaches it",
            "- `!git status`, then ask about what it printed",
        )
    )
    keys = "`/help` lists the commands, **F1** the keys, **Ctrl+B** past conversations."
    if not is_first_time:
        return f"{about}\n\n{keys}"
    return f"**llmchat**. {about}\n\nThree things to try:\n\n{tries}\n\n{keys}"
