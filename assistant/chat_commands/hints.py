"""Errors of the layers below name command lines; in a chat one types commands."""

import re

from assistant.errors import AssistantError

# The first that fits a place holds for it.
RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"llmchat history list", "/history"),
        (r"llmchat history search\b", "/search"),
        (r"llmchat history show(?: [\w.…]+)?( has the numbers)?", r"/history\1"),
        (r"llmchat history compact(?! -e)(?: [\w.…]+)?", "/compact"),
        (r"llmchat undo\b", "/undo"),
        (r"llmchat (?:--model|-m) (\S+)(?: \"?…\"?)?", r"/model \1"),
        (r"--timeout ([\w.…]+)", r"/set timeout \1"),
        (r"(?:-o|--option) ([a-z_]+)[ =]([^\s,;]+)", r"/set \1 \2"),
        (r"(?<![\w-])-m ([^\s,;?]+)", r"/model \1"),
        (r"(?:[\w ./-]+ \| )llmchat ([a-z][\w-]*)", r"/\1 FILE"),
        (r"llmchat ([a-z][\w-]*) < (\S+)", r"/attach \2, then /\1"),
        (r"llmchat \"…\"", "a question"),
        (r"llmchat \"([^\"]*)\"", r"\1"),
        (r"llmchat ([a-z][\w-]*) --help", r"/help \1"),
        (r"llmchat ((?!history|config|engine|trust|doctor|completion)[a-z][\w-]*)", r"/\1"),
    )
)


def in_chat(error: AssistantError) -> AssistantError:
    """The same error with hints that can be typed where the user is."""
    return type(error)(chat_words(error.message), chat_words(error.hint))


def chat_words(text: str) -> str:
    """Command lines in a sentence as commands of the chat, as far as there are any."""
    for pattern, replacement in RULES:
        text = pattern.sub(replacement, text)
    return text
