"""Unpacks a GGUF file into a model folder; runs as the child process of gguf_conversion.

`python -m assistant.backends.huggingface.gguf_unpacking FILE FOLDER` writes a line "STEP SHARE"
for every bit of progress, and on stderr, last, why it failed.
transformers does the work and is not believed: what it leaves out is mended from the file, or
the file is refused, because a model with a part missing still answers.
"""

import functools
import json
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import gguf
import torch
import transformers

from assistant.backends.huggingface.failures import first_line, is_out_of_memory
from assistant.backends.huggingface.gguf_conversion import Step
from assistant.backends.huggingface.gguf_rope import rope_parameters
from assistant.backends.huggingface.gguf_tokenizer import ends_of, write_tokenizer
from assistant.errors import AssistantError, ModelError
from assistant.model_store.gguf_file import GgufFile, read_gguf

ROPE_FACTORS = "rope_freqs.weight"
OUTPUT = "output.weight"
ONE_FILE = "100TB"

OnStep = Callable[[Step, float], object]


def unpack(file: GgufFile, folder: Path, on_step: OnStep) -> None:
    """Everything that transformers needs to load the model, and `load_tokenizer`.

    `on_step` hears what is being done and which share of it is done. Raises `ModelError` when the
    model would not be the same, and whatever transformers raises.
    """
    on_step(Step.VOCABULARY, 0.0)
    _remember_what_is_read()
    write_tokenizer(file, folder)
    on_step(Step.VOCABULARY, 0.5)
    reader = gguf.GGUFReader(str(file.path))  # as transformers spells it
    on_step(Step.VOCABULARY, 0.8)
    config = _read_config(file, reader)
    model = _read_model(file, config, reader, on_step)
    on_step(Step.SAVING, 0.0)
    _save(file, model, folder)


def _remember_what_is_read() -> None:
    """transformers reads the header several times, 5 s each, and makes 400 equal tables."""
    gguf.GGUFReader = functools.cache(gguf.GGUFReader)
    gguf.get_tensor_name_map = functools.cache(gguf.get_tensor_name_map)


def _source(file: GgufFile) -> dict[str, Any]:
    return {"gguf_file": file.path.name, "local_files_only": True, "trust_remote_code": False}


def _read_config(file: GgufFile, reader: Any) -> Any:
    config = transformers.AutoConfig.from_pretrained(file.path.parent, **_source(file))
    tensors = {tensor.name: tensor for tensor in reader.tensors}
    factors = tensors[ROPE_FACTORS].data if ROPE_FACTORS in tensors else None
    parameters = rope_parameters(file, getattr(config, "rope_parameters", None), factors)
    if parameters is not None:
        config.rope_parameters = parameters
    if file.architecture == "t5":
        # transformers takes every T5 for a gated one, but only until the model is loaded again.
        is_gated = any(".ffn_gate." in name for name in tensors)
        config.is_gated_act = is_gated
        config.feed_forward_proj = "gated-gelu" if is_gated else "relu"
        config.dense_act_fn = "gelu_new" if is_gated else "relu"
    return config


# ── weights ─────────────────────────────────────────────────────────────────────────────────


def dtype_of(file: GgufFile) -> torch.dtype:
    """The numbers to unpack to: the file's own where it has such, else 16 bits."""
    return {"BF16": torch.bfloat16, "F32": torch.float32}.get(file.quantisation, torch.float16)


def _read_model(file: GgufFile, config: Any, reader: Any, on_step: OnStep) -> Any:
    _watch(reader, lambda share: on_step(Step.WEIGHTS, share))
    auto = (
        transformers.AutoModelForSeq2SeqLM
        if getattr(config, "is_encoder_decoder", False)
        else transformers.AutoModelForCausalLM
    )
    model, report = auto.from_pretrained(
        file.path.parent,
        config=config,
        dtype=dtype_of(file),
        quantization_config=transformers.GgufConfig(dequantize=True),
        output_loading_info=True,
        **_source(file),
    )
    missing = sorted(report["missing_keys"] | {key for key, *_ in report["mismatched_keys"]})
    if missing:  # they would be random numbers
        raise ModelError(f"transformers finds no weights in it for {', '.join(missing[:3])}")
    _refuse_left_out(config, model, reader)
    return model


def _watch(reader: Any, on_share: Callable[[float], object]) -> None:
    """Hear how far the weights are, from both of transformers' ways to unpack them."""
    total = max(1, sum(tensor.n_bytes for tensor in reader.tensors))
    unpack_one, done = gguf.dequantize, 0

    def counting(data: Any, kind: Any) -> Any:
        nonlocal done
        done += data.nbytes
        on_share(min(1.0, done / total))
        return unpack_one(data, kind)

    def counted(_make: Any, args: tuple[Any, ...], options: dict[str, Any]) -> Iterable[Any]:
        return _counted(args[0] if args else options["iterable"], on_share)

    gguf.dequantize = counting
    transformers.utils.logging.set_tqdm_hook(counted)


def _counted(items: Any, on_share: Callable[[float], object]) -> Iterator[Any]:
    for place, item in enumerate(items):
        on_share(place / max(1, len(items)))
        yield item


def _refuse_left_out(config: Any, model: Any, reader: Any) -> None:
    """transformers passes over tensors whose names it does not know, without a word."""
    tensors = {tensor.name: int(tensor.n_elements) for tensor in reader.tensors}
    tensors.pop(ROPE_FACTORS, None)
    if model.get_output_embeddings().weight is model.get_input_embeddings().weight:
        tensors.pop(OUTPUT, None)
    layers = getattr(config, "num_hidden_layers", 0)
    extra = {name for name in tensors if _layer(name) >= layers > 0}  # for drafting tokens
    expected = sum(count for name, count in tensors.items() if name not in extra)
    found = sum(parameter.numel() for parameter in model.parameters())
    if found != expected:
        raise ModelError(
            f"transformers takes {found:,} of its {expected:,} numbers, so the model would differ"
        )


def _layer(name: str) -> int:
    kind, _, rest = name.partition(".")
    number = rest.partition(".")[0]
    return int(number) if kind == "blk" and number.isdigit() else -1


# ── files ───────────────────────────────────────────────────────────────────────────────────


def _save(file: GgufFile, model: Any, folder: Path) -> None:
    transformers.utils.logging.set_tqdm_hook(None)
    model.save_pretrained(folder, max_shard_size=ONE_FILE)
    _change(folder / "config.json", {"_name_or_path": file.short_name})
    _change(folder / "generation_config.json", {"eos_token_id": ends_of(file)})
    for path in folder.iterdir():  # a loss of power must not leave a folder that looks whole
        _flush(path)
    _flush(folder)


def _change(file: Path, changes: dict[str, Any]) -> None:
    settings = json.loads(file.read_text("utf-8")) if file.exists() else {}
    for key in ("quantization_config", "_model_name_or_path"):
        settings.pop(key, None)
    file.write_text(json.dumps(settings | changes, indent=2), "utf-8")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# ── the process ─────────────────────────────────────────────────────────────────────────────


def main(source: str, folder: str) -> int:
    """The exit status."""
    reports = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is no report
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        file = read_gguf(Path(source))
        unpack(file, Path(folder), lambda step, share: reports.write(f"{step} {share:.4f}\n"))
    except AssistantError as err:
        reason = err.message
    except Exception as err:  # whatever a file can make transformers say
        reason = "the memory ran out" if is_out_of_memory(err) else first_line(err)
    else:
        return 0
    sys.stderr.write(f"\n{reason}\n")
    return 1


def _die_with_parent() -> None:
    """Its end of the pipe closes, however it ends."""
    os.read(0, 1)  # sys.stdin would be locked when Python ends
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
