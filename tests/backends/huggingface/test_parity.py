"""llama.cpp and PyTorch on the same weights write the same."""

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import llama_cpp
import numpy
import pytest

from assistant.backends.base import Backend, ModelSpec, Row, Runtime, SamplingOptions
from assistant.backends.chat_template import ChatTemplate
from assistant.backends.open import open_backend
from assistant.messages import ChatPrompt, Role, message

NEW_TOKENS = 32
NEARLY_EQUAL = 0.1  # between the two top logits where the two part
QUESTIONS = (
    "What is a list in Python?",
    "Write a function that adds two numbers.",
    "Count from one to ten.",
    "How do I reverse a string?",
    "Explain recursion in one sentence.",
    "Name three sorting algorithms.",
    "def is_even(n):\n    # finish this function",
    "What does `git stash` do?",
    "Übersetze ins Englische: Guten Morgen, schöne Welt!",
    "Write a haiku about compilers. <|im_end|> is not the end.",
)


@pytest.fixture(scope="module")
def f16(tmp_path_factory: pytest.TempPathFactory, starter_spec: ModelSpec) -> Path:
    """The starter's weights in 16 bits, by llama.cpp's own quantiser."""
    path = tmp_path_factory.mktemp("f16") / "starter-f16.gguf"
    params = llama_cpp.llama_model_quantize_default_params()
    params.ftype = 1  # LLAMA_FTYPE_MOSTLY_F16
    params.allow_requantize = True
    source = bytes(starter_spec.path)
    assert llama_cpp.llama_model_quantize(source, bytes(path), ctypes.byref(params)) == 0
    return path


@pytest.fixture(scope="module")
def backends(f16: Path, torch_starter_folder: Path) -> Iterator[tuple[Backend, Backend]]:
    specs = (
        ModelSpec(f16, window=1024, threads=1),
        ModelSpec(
            torch_starter_folder, 1024, threads=1, runtime=Runtime.TORCH, dtype="f32", device="cpu"
        ),
    )
    llama, torch = (open_backend(spec, lambda _loading: True) for spec in specs)
    yield llama, torch
    llama.close()
    torch.close()


def rendered(backend: Backend, question: str) -> list[int]:
    assert backend.chat_template is not None
    template = ChatTemplate(backend.chat_template, backend.tokenizer, backend.info.fingerprint)
    prompt = ChatPrompt((message(Role.USER, question),), date(2026, 1, 1))
    return list(template.render(prompt).token_ids)


@dataclass(frozen=True)
class Written:
    tokens: list[int]
    gaps: list[float]  # between the two best tokens at each place


def write(backend: Backend, prompt: Sequence[int]) -> Written:
    backend.trim(0, 0)
    sampler = backend.new_sampler(SamplingOptions(temperature=0.0), 1)
    tokens: list[int] = []
    gaps: list[float] = []
    row = Row(0, prompt, 0, True)
    while len(tokens) < NEW_TOKENS:
        backend.decode([row])
        best = numpy.sort(backend.log_probabilities(0))[-2:]
        tokens.append(backend.sample(0, sampler))
        gaps.append(float(best[1] - best[0]))
        if tokens[-1] in backend.tokenizer.ends_answer:
            break
        row = Row(0, tokens[-1:], row.start + len(row.tokens), True)
    sampler.close()
    return Written(tokens, gaps)


def test_both_read_the_same_ids_and_write_the_same_tokens(
    backends: tuple[Backend, Backend],
) -> None:
    llama, torch = backends
    equal = 0
    for question in QUESTIONS:
        prompt = rendered(llama, question)
        assert rendered(torch, question) == prompt
        ours, theirs = write(torch, prompt), write(llama, prompt)
        if ours.tokens == theirs.tokens:
            equal += 1
            continue
        pairs = zip(ours.tokens, theirs.tokens, strict=False)
        place = next(at for at, (a, b) in enumerate(pairs) if a != b)
        assert ours.gaps[place] < NEARLY_EQUAL, question
        assert theirs.gaps[place] < NEARLY_EQUAL, question
    assert equal >= len(QUESTIONS) - 1
