"""Faults for the doctor to find: machines, children and files that are not as they should be."""

import json
import stat
import struct
from pathlib import Path

import gguf
import numpy
import tokenizers

GIB = 1 << 30
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)
AVX2_FLAGS = "fpu sse2 avx fma f16c avx2 bmi2"
AVX2_BUILD = "CPU : SSE3 = 1 | AVX = 1 | AVX2 = 1 | F16C = 1 | FMA = 1 | BMI2 = 1 | OPENMP = 1 | "


def machine(root: Path, *, free: int = 8 * GIB, swap: int = 0, flags: str = AVX2_FLAGS) -> Path:
    """A folder that looks like / of a Linux machine; sizes in bytes."""
    files = {
        "proc/meminfo": f"MemAvailable: {free // 1024} kB\nSwapTotal: {swap // 1024} kB\n",
        "proc/cpuinfo": f"processor\t: 0\nflags\t\t: {flags}\ncore id\t\t: 0\n\n",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def script(path: Path, body: str) -> Path:
    """A program of the shell."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(stat.S_IRWXU)
    return path


def write_model(path: Path, architecture: str = "llama") -> Path:
    """A whole GGUF header of a model with hardly any weights."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(4096)
    writer.add_embedding_length(64)
    writer.add_block_count(2)
    writer.add_head_count(4)
    writer.add_token_list(["<s>", "</s>", "a"])
    writer.add_tensor("token_embd.weight", numpy.zeros((3, 64), numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_folder(folder: Path) -> Path:
    """A whole model in safetensors: one tensor, a token for each byte, three control tokens."""
    folder.mkdir()
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    words = tokenizers.models.BPE({letter: at for at, letter in enumerate(letters)}, [])
    tokenizer = tokenizers.Tokenizer(words)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>", "<think>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "model_type": "llama",
        "max_position_embeddings": 2048,
        "vocab_size": 259,
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    }
    (folder / "config.json").write_text(json.dumps(config))
    special = {"eos_token": "<|im_end|>", "chat_template": TEMPLATE}
    (folder / "tokenizer_config.json").write_text(json.dumps(special))
    tensor = {"dtype": "F32", "shape": [259, 64], "data_offsets": [0, 259 * 64 * 4]}
    header = json.dumps({"model.embed_tokens.weight": tensor}).encode()
    weights = struct.pack("<Q", len(header)) + header + bytes(259 * 64 * 4)
    (folder / "model.safetensors").write_bytes(weights)
    return folder
