"""Tokenizers of every supported kind, made by hand and small enough to be read."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
BLANKS = "    "


def special(text: str, **flags: bool) -> AddedToken:
    return AddedToken(text, special=True, normalized=False, **flags)


def plain(text: str) -> AddedToken:
    return AddedToken(text, special=False, normalized=False)


def byte_level() -> Tokenizer:
    """Chat markers, a run of blanks and an HTML tag as added tokens behind 256 + 2 words."""
    words = [*ALPHABET, "he", "Ġhe"]
    vocab = {word: place for place, word in enumerate(words)}
    made = Tokenizer(models.BPE(vocab, [("h", "e"), ("Ġ", "he")]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    markers = [special("<|im_start|>"), special("<|im_end|>"), special("<|pad|>", rstrip=True)]
    made.add_tokens([*markers, plain("<think>"), plain(BLANKS), plain("<br>")])
    return made


def roberta() -> Tokenizer:
    """As CodeT5's: control tokens are the first words, and `<s> text </s>` is the frame."""
    control = ["<s>", "<pad>", "</s>", "<unk>"]
    vocab = {word: place for place, word in enumerate([*control, *ALPHABET])}
    made = Tokenizer(models.BPE(vocab, [], unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_tokens([*map(special, control), special("<mask>", lstrip=True)])
    made.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), add_prefix_space=False
    )
    return made


def llama() -> Tokenizer:
    """SentencePiece as BPE with byte tokens, whose merges lead from text to `</s>`."""
    control = ["<unk>", "<s>", "</s>"]
    letters = [*"▁abcehlost</>", "he", "▁he", "</", "s>"]
    words = [*control, *(f"<0x{byte:02X}>" for byte in range(256)), *letters]
    vocab = {word: place for place, word in enumerate(words)}
    merges = [("h", "e"), ("▁", "he"), ("<", "/"), ("s", ">"), ("</", "s>"), ("<", "s>")]
    made = Tokenizer(models.BPE(vocab, merges, fuse_unk=True, byte_fallback=True))
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    made.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    made.add_tokens([*map(special, control), plain("<tool>")])
    return made


def t5() -> Tokenizer:
    """Unigram, which holds its control tokens as words of the highest score."""
    words = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("▁he", -2.5)]
    words += [(letter, -3.0) for letter in "abcehlost</>_xrdpunk01234"]
    words += [("<extra_id_1>", 0.0), ("<extra_id_0>", 0.0)]
    made = Tokenizer(models.Unigram(words, unk_id=2))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Metaspace()
    control = ["<pad>", "</s>", "<unk>", "<extra_id_1>", "<extra_id_0>"]
    made.add_tokens([special(text) for text in control])
    made.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    return made


KINDS: dict[str, Callable[[], Tokenizer]] = {
    "byte_level": byte_level,
    "roberta": roberta,
    "llama": llama,
    "t5": t5,
}
TEXTS = {
    "byte_level": {"eos_token": "<|im_end|>", "bos_token": "<|im_start|>", "pad_token": "<|pad|>"},
    "roberta": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
    "llama": {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"},
    "t5": {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"},
}


def save(tokenizer: Tokenizer, folder: Path) -> Path:
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def chosen(tokenizer: Any, ids: Sequence[int]) -> list[bytes]:
    return [tokenizer.piece(token) for token in ids]
