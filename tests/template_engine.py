"""An engine without weights: a real chat template, a token for every byte, scripted answers."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from vocabulary import ByteTokenizer

from assistant.backends.base import Abilities, BackendInfo
from assistant.backends.chat_template import ChatTemplate
from assistant.engine.base import GenerationRequest, Kept, Measure
from assistant.events import Answer, Event, Finished, ModelLoading, Reason, TextChunk, Usage
from assistant.messages import ChatPrompt, Prompt, Rendered, hash_of_ids

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SPELLINGS = (
    *("<|im_start|>", "<|im_end|>", "<s>", "</s>", "[INST]", "[/INST]", "<|user|>", "<|end|>"),
    *("<|assistant|>", "<|system|>", "<start_of_turn>", "<end_of_turn>", "<|eot_id|>"),
    *("<|start_header_id|>", "<|end_header_id|>", "<think>", "</think>", "<|endoftext|>"),
)
BYTES = ByteTokenizer(SPELLINGS)
Says = Callable[[GenerationRequest], str]


@cache
def template_of(file: Path) -> ChatTemplate:
    return ChatTemplate(file.read_text(), BYTES, "weights")


class TemplateEngine:
    """See `Engine`. `says` makes the answers; `requests` were made.

    An answer that needs more tokens than it may have is cut, as a model's would be.
    """

    kept: Kept | None = None

    def __init__(
        self,
        window: int,
        says: Says = lambda _request: "Yes.",
        template: ChatTemplate | None = None,
        reason: Reason = Reason.DONE,
    ) -> None:
        self.info = BackendInfo(
            name="scripted",
            fingerprint="weights",
            parameters=1,
            size_bytes=1,
            window=window,
            device="cpu",
            quantisation="",
            template_hash="template",
            abilities=Abilities(trims=True, grammar=True, candidates=True, chat=True),
            build="build",
        )
        self.says = says
        self.reason = reason
        self.requests: list[GenerationRequest] = []
        self._template = template or ChatTemplate(CHATML, BYTES, "weights")

    def load(self) -> Iterator[ModelLoading]:
        return iter(())

    def render(self, prompt: Prompt) -> Rendered:
        assert isinstance(prompt, ChatPrompt)
        return self._template.render(prompt)

    def measure(self, prompt: Prompt) -> Measure:
        rendered = self.render(prompt)
        return Measure(len(rendered.token_ids), rendered.parts, 0, None)

    def tokenize(self, text: str, *, has_control_tokens: bool = False) -> list[int]:
        return BYTES.tokenize(text, has_control_tokens=has_control_tokens)

    def detokenize(self, token_ids: Sequence[int]) -> str:
        return b"".join(map(BYTES.piece, token_ids)).decode(errors="replace")

    def score(self, prompt: Prompt, continuations: Sequence[str]) -> list[float]:
        raise NotImplementedError

    def stream(self, request: GenerationRequest) -> "ScriptedStream":
        self.requests.append(request)
        return ScriptedStream(self, request)

    def close(self) -> None:
        pass


class ScriptedStream:
    """Says it in pieces of three characters, until it is cancelled."""

    def __init__(self, engine: TemplateEngine, request: GenerationRequest) -> None:
        self._engine = engine
        self._request = request
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def __iter__(self) -> Iterator[Event]:
        request = self._request
        ids = self._engine.render(request.prompt).token_ids
        texts = [""] * request.candidates
        said = self._engine.says(request).encode()[: request.max_new_tokens].decode(errors="ignore")
        for at in range(0, len(said), 3):
            for candidate in range(request.candidates):
                if self.is_cancelled:
                    break
                texts[candidate] += said[at : at + 3]
                yield TextChunk(said[at : at + 3], candidate)
        reason = Reason.STOPPED if self.is_cancelled else self._engine.reason
        failed = ("it broke", "ask again") if reason is Reason.FAILED else ("", "")
        answers = tuple(
            Answer(
                reason,
                text,
                "",
                tuple(text.encode()),
                ((request.seed or 0) + candidate) % 2**32,
                candidate,
                *failed,
            )
            for candidate, text in enumerate(texts)
        )
        usage = Usage(len(ids), 0, sum(map(len, texts)), 0.1, 1.0, 1.0)
        yield Finished(answers, usage, hash_of_ids(ids))
