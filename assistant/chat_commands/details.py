"""How an answer was made, from what was kept of it: enough to write it again."""

from collections.abc import Iterator

from assistant.chat_commands.effects import ShowTable
from assistant.conversation.message_names import join_name
from assistant.conversation.records import StoredMessage, Writing
from assistant.events import Usage
from assistant.rendering.conversation_facts import ending
from assistant.rendering.quantities import seconds_text

Row = tuple[str, str]


def details_table(conversation: str, answer: StoredMessage) -> ShowTable:
    name = join_name(conversation, answer.number)
    rows = [] if answer.writing is None else list(_writing(answer.writing))
    if said := ending(answer):
        rows.append(("ended", said))
    if answer.writing is not None and answer.writing.token_ids:
        rows.append(("again", f"llmchat history replay {name}"))
    return ShowTable(tuple(rows or [("kept", "nothing but the text")]), f"answer {name}")


def _writing(writing: Writing) -> Iterator[Row]:
    yield "model", writing.model
    yield "weights", writing.fingerprint
    yield "template", writing.template_hash
    if writing.build:
        yield "build", writing.build
    if writing.usage is not None:
        yield "prompt", _prompt_tokens(writing.usage)
    if writing.token_ids:
        yield "answer", f"{len(writing.token_ids):,} tokens"
    if writing.prompt_hash:
        yield "prompt hash", writing.prompt_hash
    sampling = writing.sampling
    yield (
        "sampling",
        f"temperature {sampling.temperature:g}, top_k {sampling.top_k}, top_p {sampling.top_p:g}, "
        f"min_p {sampling.min_p:g}, repeat_penalty {sampling.repeat_penalty:g}",
    )
    yield "seed", str(writing.seed)
    if writing.candidates > 1:
        yield "candidate", f"{writing.candidate + 1} of {writing.candidates}"
    if writing.usage is not None:
        yield from _times(writing.usage)


def _prompt_tokens(usage: Usage) -> str:
    read = usage.prompt_tokens - usage.cached_tokens
    return f"{usage.prompt_tokens:,} tokens: {usage.cached_tokens:,} cached, {read:,} read"


def _times(usage: Usage) -> Iterator[Row]:
    yield "first token", f"after {seconds_text(usage.seconds_to_first_token)}"
    if usage.prefill_tokens_per_second:
        yield "read", f"{usage.prefill_tokens_per_second:,.0f} tokens/s"
    if usage.decode_tokens_per_second:
        yield "written", f"{usage.decode_tokens_per_second:,.0f} tokens/s"
