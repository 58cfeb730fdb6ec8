"""Which tokens of a tokenizer steer its model, and how to keep text from becoming one."""

import json
import secrets
from collections.abc import Iterable, Mapping, Set
from typing import Any

import tokenizers

from assistant.backends.control_tokens import is_marker

# What ends a turn by its spelling; models forget to list some of them. The same as in llama.cpp,
# also that a fill-in-the-middle model begins another file when it has no more to say.
END_SPELLINGS = {
    *("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"),
    *("<end_of_turn>", "<|end|>", "<|return|>", "<|call|>", "<|calls|>", "<|flush|>", "</s>"),
    *("<eos>", "[EOS]", "<EOT>", "_<EOT>", "[EOT]", "<end_of_utterance>", "<turn|>", "[e~["),
    *("<|tool_response>", "<｜end▁of▁sentence｜>", "<|fim_pad|>", "<fim-pad>", "<fim_pad>"),
    *("<PAD>", "[PAD]", "<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"),
    "<|file_sep|>",
}
# Where all of the first are known, the second ends only a part of a turn, or is text.
NOT_AN_END = (
    ({"<|return|>", "<|call|>"}, "<|end|>"),
    ({"<|flush|>", "<|calls|>"}, "<|end|>"),
    ({"<|tool_response>"}, "</s>"),
)


def added_tokens(source: tokenizers.Tokenizer, named: Iterable[str]) -> dict[int, Any]:
    """The source's added tokens by id, in order; those that the model's files name are special.

    A named token that is an ordinary word, as "!" for padding, stays one.
    """
    added = dict(source.get_added_tokens_decoder())
    for spelling in set(named):
        token_id = source.token_to_id(spelling)
        if token_id in added:
            added[token_id] = as_special(added[token_id])
        elif token_id is not None and is_marker(spelling):
            added[token_id] = tokenizers.AddedToken(spelling, normalized=False, special=True)
    return {token_id: added[token_id] for token_id in sorted(added)}


def as_special(token: tokenizers.AddedToken) -> tokenizers.AddedToken:
    return tokenizers.AddedToken(
        token.content,
        single_word=token.single_word,
        lstrip=token.lstrip,
        rstrip=token.rstrip,
        normalized=token.normalized,
        special=True,
    )


def ends_by_spelling(spellings: Set[str]) -> set[str]:
    found = END_SPELLINGS & spellings
    return found - {part for others, part in NOT_AN_END if others <= found}


def model_without(source: tokenizers.Tokenizer, control_tokens: Mapping[str, int]) -> Any:
    """The source's model with these words made unspeakable; all ids stay as they are.

    Unigram and some SentencePiece vocabularies hold `</s>` as a word like any other, so text that
    spells it would become it, whatever is set about special tokens.
    """
    model = json.loads(source.to_str())["model"]
    secret = secrets.token_hex(16)  # so that no text can hold it

    def renamed(word: str) -> str:
        return f"{secret}{control_tokens[word]}" if word in control_tokens else word

    vocab = model["vocab"]
    if isinstance(vocab, dict):
        model["vocab"] = {renamed(word): token_id for word, token_id in vocab.items()}
    else:  # Unigram: words with scores
        model["vocab"] = [(renamed(word), score) for word, score in vocab]
    if isinstance(model.get("unk_token"), str):
        model["unk_token"] = renamed(model["unk_token"])
    merges = model.get("merges", [])
    model["merges"] = [pair for pair in merges if not _words_of(pair) & control_tokens.keys()]
    whole = {"version": "1.0", "added_tokens": [], "model": model}
    return tokenizers.Tokenizer.from_str(json.dumps(whole)).model


def _words_of(merge: Any) -> set[str]:
    """A merge's two words and what they make; older files write them with a blank between."""
    parts = merge.split(" ") if isinstance(merge, str) else merge
    return {*parts, "".join(parts)}
