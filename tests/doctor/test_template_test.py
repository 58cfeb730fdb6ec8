"""Templates and vocabularies that are not as they should be, and those that are."""

from pathlib import Path

import planted
import pytest

from assistant.backends.base import Tokenizer
from assistant.backends.huggingface.tokenizer import load_tokenizer
from assistant.doctor.check import Status
from assistant.doctor.template_probe import open_file
from assistant.doctor.template_test import check_template, check_vocabulary


@pytest.fixture
def tokenizer(tmp_path: Path) -> Tokenizer:
    """A token for each byte, and three control tokens."""
    return load_tokenizer(planted.write_folder(tmp_path / "tiny"))


def misspell(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, letter: str) -> None:
    """Makes it give a question mark back for every byte of a letter."""
    (token, *_) = tokenizer.tokenize(letter)
    piece = tokenizer.piece
    monkeypatch.setattr(tokenizer, "piece", lambda found: b"?" if found == token else piece(found))


def test_a_good_template_keeps_spelled_control_tokens_as_text(tokenizer: Tokenizer) -> None:
    found = check_template(planted.TEMPLATE, tokenizer)
    assert (found.name, found.status) == ("template", Status.OK)
    assert found.says == "keeps 3 spelled control tokens as text, and writes 9 of its own"


def test_a_template_that_does_not_parse_fails(tokenizer: Tokenizer) -> None:
    found = check_template("{% for m in %}", tokenizer)
    assert found.status is Status.FAILED
    assert "cannot be used" in found.says


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ raise_exception('not today') }}", "not today"),
        ("{% for m in messages[:-1] %}{{ m.content }}{% endfor %}", "drops or changes message 4"),
        ("{% for m in messages %}{{ m.content|upper }}{% endfor %}", "drops or changes"),
        ("{{ 'x' * 999999999 }}", "too much"),
    ],
)
def test_a_template_that_refuses_drops_or_never_ends_fails(
    tokenizer: Tokenizer, source: str, said: str
) -> None:
    found = check_template(source, tokenizer)
    assert found.status is Status.FAILED
    assert said in found.says
    assert found.hint


@pytest.mark.parametrize(
    ("condition", "said"),
    [("'x' in m.content", "leaves out"), ("'x' not in m.content and loop.last", "writes more")],
)
def test_a_template_that_changes_with_the_spellings_fails(
    tokenizer: Tokenizer, condition: str, said: str
) -> None:
    source = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}"
        f"{{% if {condition} %}}<think>{{% endif %}}{{% endfor %}}"
    )
    found = check_template(source, tokenizer)
    assert found.status is Status.FAILED
    assert f"{said} control tokens when a message spells them: '<think>'" in found.says


def test_a_model_without_a_template_cannot_chat(tokenizer: Tokenizer) -> None:
    found = check_template(None, tokenizer)
    assert (found.status, "cannot chat" in found.says) == (Status.WARNING, True)


def test_ids_that_spell_something_else_are_a_warning(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    misspell(tokenizer, monkeypatch, "R")
    found = check_template(planted.TEMPLATE, tokenizer)
    assert (found.status, "another text" in found.says) == (Status.WARNING, True)


def test_a_vocabulary_that_loses_characters_is_a_warning(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_vocabulary(tokenizer).status is Status.OK
    misspell(tokenizer, monkeypatch, "✓")
    found = check_vocabulary(tokenizer)
    assert (found.status, "do not come back" in found.says) == (Status.WARNING, True)


FAMILIES = [
    ("Qwen3-Coder", "qwen2"),
    ("meta-llama-Llama-3.1-8B-Instruct", "llama-bpe"),
    ("microsoft-Phi-3.5-mini-instruct", "phi-3"),
    ("deepseek-ai-DeepSeek-V3.1", "deepseek-coder"),
]


@pytest.mark.parametrize(("template", "vocabulary"), FAMILIES)
def test_known_families_are_well(shared_data: Path, template: str, vocabulary: str) -> None:
    path = shared_data / "vocabularies" / f"ggml-vocab-{vocabulary}.gguf"
    _, tokenizer = open_file(path)
    source = (shared_data / "chat_templates" / f"{template}.jinja").read_text()
    assert check_vocabulary(tokenizer).status is Status.OK
    assert check_template(source, tokenizer).status is Status.OK
