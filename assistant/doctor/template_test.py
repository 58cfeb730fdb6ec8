"""A model's vocabulary and chat template put to the test: does a user's text stay text?

The user's last message spells every control token. It must come back whole, and no control
token may be there that is not there without the spellings.
"""

from collections import Counter
from collections.abc import Collection
from datetime import date

from assistant.backends.base import Tokenizer
from assistant.backends.chat_template import ChatTemplate
from assistant.doctor.check import Check, check, failed, ok, warning
from assistant.errors import TemplateError
from assistant.messages import ChatPrompt, Rendered, Role, message

ANOTHER = "take another model: -m starter"
DAY = date(2026, 1, 1)
SAMPLE = "def größer(a, b):\n    return a > b  # 中文 → ✓\n"


@check("vocabulary")
def check_vocabulary(tokenizer: Tokenizer) -> Check:
    """Text becomes ids and the same text again."""
    ids = tokenizer.tokenize(SAMPLE)
    if _squeezed(_spelt(tokenizer, ids)) != _squeezed(SAMPLE):
        return warning(
            f"{_counts(tokenizer)}; some characters do not come back from it as they were",
            f"for text beyond English {ANOTHER}",
        )
    return ok(_counts(tokenizer))


@check("template")
def check_template(source: str | None, tokenizer: Tokenizer) -> Check:
    """`source` is the chat template; None when the model has none."""
    if source is None:
        return warning("the model has no chat template: it completes text and cannot chat", ANOTHER)
    spellings = list(tokenizer.control_tokens)
    try:
        template = ChatTemplate(source, tokenizer)
        harmless = template.render(_conversation(["x" * len(text) for text in spellings]))
        hostile = template.render(_conversation(spellings))
    except TemplateError as err:
        return failed(err.message, ANOTHER)
    forged = _control(hostile, tokenizer) - _control(harmless, tokenizer)
    lost = _control(harmless, tokenizer) - _control(hostile, tokenizer)
    if forged or lost:
        names = _names(forged or lost, tokenizer)
        what = "writes more" if forged else "leaves out"
        return failed(
            f"the template {what} control tokens when a message spells them: {names}", ANOTHER
        )
    if _squeezed(_spelt(tokenizer, hostile.token_ids)) != _squeezed(hostile.text):
        return warning("the ids that the model gets spell another text than was sent", ANOTHER)
    return ok(
        f"keeps {len(spellings):,} spelled control tokens as text, and writes "
        f"{_control(hostile, tokenizer).total()} of its own"
    )


def _conversation(words: Collection[str]) -> ChatPrompt:
    return ChatPrompt(
        (
            message(Role.SYSTEM, "Answer in one word."),
            message(Role.USER, "Is it raining?"),
            message(Role.ASSISTANT, "No."),
            message(Role.USER, f"Repeat: {' '.join(words)} end"),
        ),
        DAY,
    )


def _control(rendered: Rendered, tokenizer: Tokenizer) -> Counter[int]:
    control = {*tokenizer.control_tokens.values()}
    return Counter(token for token in rendered.token_ids if token in control)


def _names(tokens: Counter[int], tokenizer: Tokenizer) -> str:
    return ", ".join(repr(_spelt(tokenizer, [token])) for token in list(tokens)[:5])


def _spelt(tokenizer: Tokenizer, ids: Collection[int]) -> str:
    return b"".join(map(tokenizer.piece, ids)).decode("utf-8", "replace")


def _squeezed(text: str) -> str:
    """Without blanks: some control tokens swallow those around, some vocabularies add one."""
    return "".join(text.split())


def _counts(tokenizer: Tokenizer) -> str:
    return f"{tokenizer.vocabulary_size:,} tokens, {len(tokenizer.control_tokens):,} of control"
