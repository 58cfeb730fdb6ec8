"""Errors of the layers below name command lines; in a chat one types commands."""

import re
from functools import partial

from assistant.errors import AssistantError
from assistant.prompts.folders import prompt_names

SAME_NAMED = ("context",)  # commands that are called the same in a shell and in a chat

# The first that fits a place holds for it. Where a name is a group of its own, it has to be that
# of a prompt or a command: "llmchat wrote" and "llmchat doctor" stay what they are.
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
        (r"(?:[\w ./-]+ \| )llmchat (?P<name>[a-z][\w-]*)", r"/\g<name> FILE"),
        (r"llmchat (?P<name>[a-z][\w-]*) < (\S+)", r"/attach \2, then /\g<name>"),
        (r"llmchat \"…\"", "a question"),
        (r"llmchat \"([^\"]*)\"", r"\1"),
        (r"llmchat ([a-z][\w-]*) --help", r"/help \1"),
        (r"llmchat (?P<name>[a-z][\w-]*)", r"/\g<name>"),
    )
)


def in_chat(error: AssistantError) -> AssistantError:
    """The same error with hints that can be typed where the user is."""
    return type(error)(chat_words(error.message), chat_words(error.hint))


def chat_words(text: str) -> str:
    """Command lines in a sentence as commands of the chat, as far as there are any."""
    if "llmchat" not in text and "-" not in text:
        return text
    known = {*prompt_names(), *SAME_NAMED}

    def replaced(match: re.Match[str], replacement: str) -> str:
        is_unknown = match.groupdict().get("name", "") not in ("", *known)
        return match[0] if is_unknown else match.expand(replacement)

    for pattern, replacement in RULES:
        text = pattern.sub(partial(replaced, replacement=replacement), text)
    return text
