"""Settings from the environment, and what `-o` takes."""

import pytest

from assistant.config import (
    Color,
    SamplingChoices,
    Settings,
    check_sampling,
    load_settings,
    parse_sampling,
)
from assistant.errors import UsageError


def test_an_empty_environment_gives_the_defaults() -> None:
    assert load_settings({}) == Settings()
    assert load_settings({"LLMCHAT_MODEL": "", "LLMCHAT_UNKNOWN": "1"}) == Settings()


def test_every_setting_has_its_variable() -> None:
    environment = {
        "LLMCHAT_MODEL": "a.gguf",
        "LLMCHAT_COLOR": "never",
        "LLMCHAT_WINDOW": "2048",
        "LLMCHAT_KV_TYPE": "q8_0",
        "LLMCHAT_THREADS": "2",
        "LLMCHAT_MAX_INPUT": "1000",
        "LLMCHAT_DEVICE": "cuda",
        "LLMCHAT_DTYPE": "bf16",
        "LLMCHAT_INT8": "1",
    }
    assert load_settings(environment) == Settings(
        "a.gguf", Color.NEVER, 2048, "q8_0", 2, 1000, "cuda", "bf16", True
    )


def test_auto_leaves_the_choice_open() -> None:
    environment = {"LLMCHAT_DEVICE": "auto", "LLMCHAT_DTYPE": "auto"}
    assert load_settings(environment) == Settings(device="", dtype="")


@pytest.mark.parametrize(
    ("text", "expected"), [("1", True), ("true", True), ("0", False), ("false", False)]
)
def test_a_switch_is_on_or_off(text: str, expected: bool) -> None:
    assert load_settings({"LLMCHAT_INT8": text}).int8 is expected


@pytest.mark.parametrize(
    ("variable", "text", "reason"),
    [
        ("LLMCHAT_COLOR", "red", "LLMCHAT_COLOR=red: it is one of auto, always, never"),
        ("LLMCHAT_KV_TYPE", "f32", "LLMCHAT_KV_TYPE=f32: it is one of f16, q8_0, q4_0"),
        ("LLMCHAT_WINDOW", "-1", "LLMCHAT_WINDOW=-1: it takes a whole number"),
        ("LLMCHAT_THREADS", "two", "LLMCHAT_THREADS=two: it takes a whole number"),
        ("LLMCHAT_MAX_INPUT", "9" * 30, "it takes a whole number"),
        ("LLMCHAT_DEVICE", "gpu", "LLMCHAT_DEVICE=gpu: it is one of auto, cpu, cuda"),
        ("LLMCHAT_DTYPE", "int8", "LLMCHAT_DTYPE=int8: it is one of auto, f32, bf16, f16"),
        ("LLMCHAT_INT8", "yes", "LLMCHAT_INT8=yes: it is one of 1, true, 0, false"),
    ],
)
def test_a_wrong_variable_is_named(variable: str, text: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_settings({variable: text})
    assert reason in caught.value.message
    assert caught.value.hint == f"unset {variable}"


def test_pairs_become_choices() -> None:
    pairs = {
        "temperature": "0",
        "top_k": "40",
        "top_p": "0.9",
        "min_p": "0.05",
        "repeat_penalty": "1.1",
        "seed": "4294967295",
        "max_tokens": "1",
    }
    assert parse_sampling(pairs) == SamplingChoices(0.0, 40, 0.9, 0.05, 1.1, 1, 4294967295)


@pytest.mark.parametrize("key", ["tempreature", "Temperature", "temp", "max_token"])
def test_an_unknown_key_gets_the_nearest_one(key: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_sampling({key: "0"})
    nearest = "max_tokens" if key == "max_token" else "temperature"
    assert caught.value.hint == f"did you mean {nearest}?"


@pytest.mark.parametrize("key", ["max_new_tokens", "zzz"])
def test_a_key_that_is_like_no_other_gets_all_of_them(key: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_sampling({key: "1"})
    assert key in caught.value.message
    assert "max_tokens" in caught.value.hint


@pytest.mark.parametrize("value", ["", "x", "nan", "inf", "-inf", "-0.1", "5.1", "1e3", "0x1"])
def test_values_out_of_range_are_refused(value: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_sampling("temperature", value, "-o temperature")
    assert caught.value.message == f"-o temperature {value}: it takes a number from 0 to 5"


def test_the_stronger_choice_wins() -> None:
    strong, weak = SamplingChoices(temperature=0.0), SamplingChoices(temperature=1.0, top_k=5)
    assert strong.over(weak) == SamplingChoices(temperature=0.0, top_k=5)
    assert weak.over(strong).temperature == 1.0
