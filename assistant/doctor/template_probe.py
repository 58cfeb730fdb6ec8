"""Run as a child with a model's path: opens its vocabulary, no weights, and tests the template."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from assistant.backends.base import Tokenizer
from assistant.backends.llamacpp_bindings import load_bindings, native_log
from assistant.backends.llamacpp_tokenizer import LlamaCppTokenizer
from assistant.doctor.check import Check, Status, check, ok
from assistant.doctor.template_test import check_template, check_vocabulary
from assistant.errors import AssistantError, ModelError
from assistant.model_store.gguf_file import read_gguf
from assistant.model_store.safetensors_folder import read_folder


def examine(path: Path) -> list[Check]:
    """The checks of vocabulary and template; only the first when it cannot be opened."""
    try:
        template, tokenizer = _open_folder(path) if path.is_dir() else open_file(path)
    except AssistantError as err:
        return [_unreadable(err)]
    vocabulary = check_vocabulary(tokenizer)
    if vocabulary.status is Status.FAILED:
        return [vocabulary]
    if path.is_dir() and template is None and read_folder(path).is_encoder_decoder:
        return [vocabulary, _no_template_needed()]
    return [vocabulary, check_template(template, tokenizer)]


@check("vocabulary")
def _unreadable(err: AssistantError) -> Check:
    raise err


@check("template")
def _no_template_needed() -> Check:
    return ok("none, as models with an encoder need none")


def open_file(path: Path) -> tuple[str | None, Tokenizer]:
    """The chat template and the vocabulary of a GGUF file; raises `ModelError`."""
    lib = load_bindings()
    lib.llama_backend_init()
    params = lib.llama_model_default_params()
    params.vocab_only = True
    model = lib.llama_model_load_from_file(bytes(path), params)
    if not model:
        reason = "; ".join(line.strip() for line in native_log.last_errors()[-3:])
        raise ModelError(
            f"llama.cpp cannot open {path.name}: {reason or 'no reason given'}",
            "download it again, or update llama.cpp: pip install -U 'llama-cpp-python<0.4'",
        )
    return read_gguf(path).chat_template, LlamaCppTokenizer(lib, model)


def _open_folder(path: Path) -> tuple[str | None, Tokenizer]:
    try:
        from assistant.backends.huggingface.tokenizer import load_tokenizer  # only for folders
    except ImportError as err:
        raise ModelError(
            f"the tokenizer of a folder cannot be read: {err}", "pip install 'llmchat[torch]'"
        ) from err
    return read_folder(path).chat_template, load_tokenizer(path)


if __name__ == "__main__":
    found = [asdict(found) for found in examine(Path(sys.argv[1]))]
    print(json.dumps({"checks": found}))  # noqa: T201 # the child's answer
