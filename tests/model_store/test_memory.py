"""What a context costs, and the choices offered when it does not fit."""

import dataclasses
import re
from pathlib import Path

import pytest

from assistant.errors import NotEnoughMemory, UsageError
from assistant.model_store.gguf_file import GgufFile, read_gguf
from assistant.model_store.local_models import find_model
from assistant.model_store.memory import (
    GPU_MEMORY,
    MAIN_MEMORY,
    STARTER_BYTES,
    check_fits,
    check_folder_fits,
    context_bytes,
    folder_kv_bytes,
    folder_needed_bytes,
    int8_weight_bytes,
    largest_window,
    needed_bytes,
)
from assistant.model_store.safetensors_folder import ModelFolder

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


# ── on PyTorch ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def torch_7b() -> ModelFolder:
    """The shape of Qwen2.5-Coder-7B-Instruct in BF16."""
    return ModelFolder(
        path=Path("/models/coder"),
        name="coder",
        architecture="qwen2",
        is_encoder_decoder=False,
        asks_for_code=False,
        parameters=7_615_616_512,
        size_bytes=15_231_271_864,
        quantisation="BF16",
        window=32_768,
        vocabulary_size=152_064,
        block_count=28,
        head_count=28,
        head_count_kv=4,
        head_length=128,
        embedding_length=3_584,
        tied_embeddings=False,
        chat_template=None,
        fingerprint="",
    )


def refusal(
    folder: ModelFolder,
    available: int,
    *,
    tokens: int = 0,
    number_bytes: int = 2,
    place: str = MAIN_MEMORY,
) -> NotEnoughMemory:
    with pytest.raises(NotEnoughMemory) as caught:
        check_folder_fits(
            folder,
            tokens=tokens,
            weight_bytes=number_bytes,
            kv_bytes=number_bytes,
            available=available,
            place=place,
        )
    return caught.value


def test_keys_and_values_of_a_folder_are_known(torch_7b: ModelFolder) -> None:
    assert folder_kv_bytes(torch_7b, 32_768, 2) == 56 * KIB * 32_768
    assert folder_kv_bytes(torch_7b, 1, 4) == 112 * KIB
    assert folder_kv_bytes(torch_7b, 0, 4) == 0


def test_a_folder_that_fits_passes_to_the_byte(torch_7b: ModelFolder) -> None:
    needed = folder_needed_bytes(torch_7b, 32_768, 2, 2)
    assert 17_000_000_000 < needed < 18_000_000_000
    check_folder_fits(
        torch_7b,
        tokens=0,
        weight_bytes=2,
        kv_bytes=2,
        available=needed,
        place=MAIN_MEMORY,
    )
    assert refusal(torch_7b, needed - 1).message == (
        "coder with a window of 32,768 tokens needs 17.7 GB, and 17.7 GB are free in main memory"
    )


@pytest.mark.parametrize("number_bytes", [2, 4])
def test_every_window_that_is_offered_fits_and_is_the_largest(
    torch_7b: ModelFolder, number_bytes: int
) -> None:
    available = folder_needed_bytes(torch_7b, 5_000, number_bytes, number_bytes)
    hint = refusal(torch_7b, available, number_bytes=number_bytes).hint
    window = re.search(r"LLMCHAT_WINDOW=(\d+)", hint)
    assert window is not None
    assert int(window[1]) == 4_864
    assert folder_needed_bytes(torch_7b, int(window[1]), number_bytes, number_bytes) <= available


def test_int8_counts_what_is_no_linear_layer_in_full(torch_7b: ModelFolder) -> None:
    embeddings = 152_064 * 3_584
    weights = int8_weight_bytes(torch_7b) * torch_7b.parameters
    assert weights == pytest.approx(torch_7b.parameters + 3 * embeddings)


def test_other_numbers_are_offered_only_where_they_fit(torch_7b: ModelFolder) -> None:
    for available, int8, half in (
        (20_000_000_000, True, True),
        (17_000_000_000, True, False),
        (12_000_000_000, False, False),
    ):
        hint = refusal(torch_7b, available, number_bytes=4).hint
        assert ("--int8 (needs 13.6 GB)" in hint) is int8
        assert ("LLMCHAT_DTYPE=bf16 (needs 17.7 GB)" in hint) is half
    assert "LLMCHAT_DTYPE" not in refusal(torch_7b, 17_000_000_000).hint
    assert "--int8" in refusal(torch_7b, 17_000_000_000).hint


def test_who_computes_in_int8_is_not_offered_it(torch_7b: ModelFolder) -> None:
    with pytest.raises(NotEnoughMemory) as caught:
        check_folder_fits(
            torch_7b,
            tokens=0,
            weight_bytes=1,
            kv_bytes=4,
            available=folder_needed_bytes(torch_7b, 32_768, 1, 4) - 1,
            place=MAIN_MEMORY,
        )
    assert "--int8" not in caught.value.hint


def test_a_gpus_memory_has_its_own_choices(torch_7b: ModelFolder) -> None:
    refused = refusal(torch_7b, 17_000_000_000, number_bytes=4, place=GPU_MEMORY)
    assert refused.message.endswith("17.0 GB are free in the GPU's memory")
    assert "LLMCHAT_DEVICE=cpu" in refused.hint
    assert "--int8" not in refused.hint
    assert "LLMCHAT_DEVICE" not in refusal(torch_7b, 17_000_000_000).hint


def test_a_smaller_model_is_offered_where_it_fits(torch_7b: ModelFolder) -> None:
    hint = refusal(torch_7b, 8_000_000_000).hint
    assert hint == (
        "a Q4_K_M GGUF file of this model, without hf: (about 4.6 GB); "
        "or the starter model: -m starter"
    )
    encoder = dataclasses.replace(torch_7b, is_encoder_decoder=True)
    assert refusal(encoder, 8_000_000_000).hint == "the starter model: -m starter"
    assert refusal(torch_7b, 1_000).hint == (
        "close other programs, or use a machine with more memory"
    )


def test_a_folder_that_says_nothing_of_its_heads_is_measured_by_its_weights(
    torch_7b: ModelFolder,
) -> None:
    bare = dataclasses.replace(torch_7b, block_count=0, head_count_kv=0, head_length=0)
    assert "LLMCHAT_WINDOW" not in refusal(bare, 15_000_000_000).hint
