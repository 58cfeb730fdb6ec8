"""An answer is written once more, from what was kept of it: is it the same, token for token?"""

from collections.abc import Iterator

from msgspec import Struct

from assistant.conversation.planning import prompt_again
from assistant.conversation.records import Conversation, Kind, StoredMessage, Writing
from assistant.conversation.store import Store
from assistant.engine.base import AnswerStream, Engine, GenerationRequest
from assistant.errors import InputError
from assistant.events import Answer, Finished, Reason
from assistant.messages import Prompt, hash_of_ids


class Ingredient(Struct, frozen=True):
    """Something an answer depends on that is not what it was."""

    name: str
    then: str
    now: str


class Replay(Struct, frozen=True):
    """The answer as it was kept, and the stream that writes it again.

    `differences` are known before anything is written; where there are none, the same tokens are
    expected.
    """

    kept: StoredMessage
    writing: Writing
    differences: tuple[Ingredient, ...]
    stream: AnswerStream

    def first_difference(self, finished: Finished) -> int | None:
        """The index of the first token that is another one now; None when all are the same."""
        then, now = self.writing.token_ids, self.answer(finished).token_ids
        if then == now:
            return None
        pairs = enumerate(zip(then, now, strict=False))
        return next((at for at, (a, b) in pairs if a != b), min(len(then), len(now)))

    def answer(self, finished: Finished) -> Answer:
        """Of several that are written at once, the one that was kept."""
        return finished.answers[self.writing.candidate]


def replay(engine: Engine, store: Store, conversation: Conversation, number: int | None) -> Replay:
    """Begins to write an answer again: that with this number, or the last.

    Raises `InputError` where there is no such answer, or not enough is known of it; what the
    engine refuses it raises.
    """
    path = store.path(conversation.name, number)
    kept = _answer(path, conversation, number)
    writing = kept.writing
    if writing is None or not writing.token_ids:
        raise InputError(
            f"{conversation.name}.{kept.number} was not kept with its tokens",
            "only answers that ended here can be written again",
        )
    before = path[: [m.number for m in path].index(kept.number)]
    prompt = prompt_again(engine, before, conversation.first_day)
    request = GenerationRequest(
        prompt,
        sampling=writing.sampling,
        max_new_tokens=len(writing.token_ids) + (writing.reason is Reason.DONE),
        seed=(writing.seed - writing.candidate) % 2**32,
        candidates=writing.candidates,
    )
    differences = tuple(_differences(engine, writing, prompt))
    return Replay(kept, writing, differences, engine.stream(request))


def _answer(
    path: list[StoredMessage], conversation: Conversation, number: int | None
) -> StoredMessage:
    wanted = [m for m in path if m.kind is Kind.ANSWER and number in (None, m.number)]
    if not wanted:
        which = conversation.name if number is None else f"{conversation.name}.{number}"
        raise InputError(
            f"{which} is no answer", f"llmchat history show {conversation.name} has the numbers"
        )
    return wanted[-1]


def _differences(engine: Engine, writing: Writing, prompt: Prompt) -> Iterator[Ingredient]:
    info = engine.info
    model = f"{info.name} {info.quantisation}".rstrip()
    for name, then, now in (
        ("model", writing.model, model),
        ("weights", writing.fingerprint, info.fingerprint),
        ("chat template", writing.template_hash, info.template_hash),
        ("build", writing.build, info.build),
        ("prompt", writing.prompt_hash, hash_of_ids(engine.render(prompt).token_ids)),
    ):
        if then != now:
            yield Ingredient(name, then, now)
