"""What a context costs, and the choices offered when it does not fit."""

import dataclasses
import re

import pytest

from assistant.errors import NotEnoughMemory, UsageError
from assistant.model_store.gguf_file import GgufFile, read_gguf
from assistant.model_store.local_models import find_model
from assistant.model_store.memory import (
    STARTER_BYTES,
    check_fits,
    context_bytes,
    largest_window,
    needed_bytes,
)

KIB = 1 << 10


@pytest.fixture(scope="module")
def starter() -> GgufFile:
    return read_gguf(find_model("starter"))


@pytest.fixture(scope="module")
def coder_7b(starter: GgufFile) -> GgufFile:
    """The shape of Qwen2.5-Coder-7B-Instruct as Q8_0."""
    return dataclasses.replace(
        starter,
        architecture="qwen2",
        metadata={},
        parameters=7_615_616_512,
        size_bytes=8_098_525_888,
        window=32_768,
        vocabulary_size=152_064,
        embedding_length=3_584,
        head_count_kv=(4,) * 28,
        key_length=128,
        value_length=128,
    )


def test_the_kv_cache_of_known_models_is_known(starter: GgufFile, coder_7b: GgufFile) -> None:
    assert context_bytes(starter, 8_192, "f16") == 180 * KIB * KIB
    assert context_bytes(coder_7b, 32_768, "f16") == 56 * KIB * 32_768
    assert context_bytes(coder_7b, 32_768, "q8_0") == 56 * KIB * 32_768 * 17 // 32
    assert context_bytes(coder_7b, 32_768, "q4_0") == 56 * KIB * 32_768 * 9 // 32


def test_windows_are_rounded_up_to_256(starter: GgufFile) -> None:
    assert context_bytes(starter, 1, "f16") == context_bytes(starter, 256, "f16")
    assert context_bytes(starter, 257, "f16") == context_bytes(starter, 512, "f16")
    assert context_bytes(starter, 0, "f16") == 0


def test_layers_count_by_their_own_heads(starter: GgufFile) -> None:
    every_other = dataclasses.replace(starter, head_count_kv=(3, 0) * 15)
    assert context_bytes(every_other, 512, "f16") * 2 == context_bytes(starter, 512, "f16")


def test_hybrid_models_attend_in_every_nth_layer(starter: GgufFile) -> None:
    hybrid = dataclasses.replace(starter, metadata={"llama.full_attention_interval": 3})
    assert context_bytes(hybrid, 512, "f16") * 3 == context_bytes(starter, 512, "f16")


def test_an_unknown_kv_type_is_refused(starter: GgufFile) -> None:
    with pytest.raises(UsageError, match="q5_1") as caught:
        context_bytes(starter, 512, "q5_1")
    assert "f16, q8_0, q4_0" in caught.value.hint


def test_what_fits_passes_to_the_byte(starter: GgufFile) -> None:
    needed = needed_bytes(starter, 8_192, "f16")
    check_fits(starter, 8_192, "f16", needed)
    with pytest.raises(NotEnoughMemory):
        check_fits(starter, 8_192, "f16", needed - 1)


def test_no_window_given_means_the_models_own(starter: GgufFile) -> None:
    with pytest.raises(NotEnoughMemory, match="8,192 tokens"):
        check_fits(starter, 0, "f16", needed_bytes(starter, 8_192, "f16") - 1)


@pytest.mark.parametrize("free_gb", [9.3, 9.6, 10.0])
def test_every_choice_that_is_offered_fits(coder_7b: GgufFile, free_gb: float) -> None:
    available = int(free_gb * 1e9)
    with pytest.raises(NotEnoughMemory) as caught:
        check_fits(coder_7b, 32_768, "f16", available)
    hint = caught.value.hint
    window = re.search(r"LLMCHAT_WINDOW=(\d+)", hint)
    assert window is not None
    check_fits(coder_7b, int(window[1]), "f16", available)
    with pytest.raises(NotEnoughMemory):
        check_fits(coder_7b, int(window[1]) + 1, "f16", available)
    if "LLMCHAT_KV_TYPE=q8_0" in hint:
        check_fits(coder_7b, 32_768, "q8_0", available)
    assert "a Q4_K_M file of this model (about 4.6 GB)" in hint
    assert "-m starter" in hint


def test_the_starter_fits_where_it_is_offered(starter: GgufFile) -> None:
    check_fits(starter, 8_192, "f16", STARTER_BYTES)


def test_only_smaller_weights_are_offered_when_no_window_fits(coder_7b: GgufFile) -> None:
    with pytest.raises(NotEnoughMemory) as caught:
        check_fits(coder_7b, 4_096, "f16", 6_000_000_000)
    assert "LLMCHAT_WINDOW" not in caught.value.hint
    assert "Q4_K_M" in caught.value.hint


def test_without_any_choice_the_hint_says_what_remains(starter: GgufFile) -> None:
    with pytest.raises(NotEnoughMemory) as caught:
        check_fits(starter, 8_192, "f16", 1_000)
    assert "more memory" in caught.value.hint


def test_the_largest_window_is_never_above_the_models(starter: GgufFile) -> None:
    assert largest_window(starter, "f16", 1 << 40) == 8_192
    assert largest_window(starter, "f16", 0) == 0
    recurrent = dataclasses.replace(starter, head_count_kv=(0,) * 30)
    assert largest_window(recurrent, "f16", 1 << 40) == 8_192
