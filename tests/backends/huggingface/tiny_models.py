"""Tiny random models in real architectures, as folders on disk."""

import json
from pathlib import Path
from typing import Any

import tokenizers
import torch
import transformers

VOCABULARY = 260  # bytes and four control tokens
END = 257
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SHAPE: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "initializer_range": 0.5,
    "bos_token_id": 256,
    "eos_token_id": END,
    "pad_token_id": END,
}


def save_model(folder: Path, config: Any, *, template: str | None = TEMPLATE) -> Any:
    """Write a whole model; returns transformers' own, with the same weights."""
    torch.manual_seed(7)
    auto = transformers.AutoModelForCausalLM
    if config.is_encoder_decoder:
        auto = transformers.AutoModelForSeq2SeqLM
    model = auto.from_config(config).eval()
    model.save_pretrained(folder)
    save_tokenizer(folder, template)
    return model


def save_tokenizer(folder: Path, template: str | None = TEMPLATE) -> None:
    """A token for each byte, spelled as GPT-2 does, and four control tokens."""
    letters = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    model = tokenizers.models.BPE({letter: at for at, letter in enumerate(letters)}, [])
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    spellings = ("<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|pad|>")
    tokenizer.add_special_tokens([tokenizers.AddedToken(s, special=True) for s in spellings])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<|im_start|>",
        "eos_token": "<|im_end|>",
        "pad_token": "<|pad|>",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)


def llama_config(**more: Any) -> Any:
    return transformers.LlamaConfig(**{**SHAPE, **more})
