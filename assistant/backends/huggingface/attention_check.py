"""Before a model is used: does our attention give what transformers' own gives?"""

from typing import Any

import torch

from assistant.backends.huggingface.attention import NAME, Stretch, Stretches, attending
from assistant.backends.huggingface.failures import first_line, is_out_of_memory
from assistant.backends.huggingface.slot_cache import SlotCache
from assistant.errors import ModelError, NotEnoughMemory

TOKENS, SPLIT = 8, 5  # in two calls, the second of which reads what the first wrote
CLOSE = {torch.float32: 1e-3, torch.bfloat16: 0.2, torch.float16: 0.05}  # of the largest logit


@torch.inference_mode()
def check_attention(model: Any) -> None:
    """Compare the logits after a few tokens with those of a plain pass without a cache.

    Raises `ModelError` when they differ, or when the model asks for what our attention lacks.
    """
    vocabulary_size = model.config.get_text_config().vocab_size
    tokens = [at * 7919 % vocabulary_size for at in range(1, TOKENS + 1)]
    architecture = model.config.model_type
    try:
        found = _logits(model, tokens)
        model.set_attn_implementation("eager")
        ids = torch.tensor([tokens], device=model.device)
        expected = model(input_ids=ids, use_cache=False).logits[0, -1].float()
        model.set_attn_implementation(NAME)
    except Exception as err:  # whatever an unknown architecture may raise
        if is_out_of_memory(err):
            raise NotEnoughMemory(
                f"there is not enough memory for a first token of a {architecture} model",
                "close other programs, or take a smaller model: -m starter",
            ) from err
        raise unknown_attention(architecture, first_line(err)) from err
    apart = float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-6))
    if not apart <= CLOSE[model.dtype]:
        raise unknown_attention(architecture, f"its results differ by {apart:.1%}")


def _logits(model: Any, tokens: list[int]) -> torch.Tensor:
    """After the last token, (vocabulary,) in float32."""
    cache = SlotCache(1, lambda: None)
    cache.capacity = len(tokens)
    for start, end in ((0, SPLIT), (SPLIT, len(tokens))):
        with attending(cache, Stretches([Stretch(0, start, 0, end - start)])):
            result = model(
                input_ids=torch.tensor([tokens[start:end]], device=model.device),
                position_ids=torch.arange(start, end, device=model.device)[None],
                past_key_values=cache,
                use_cache=True,
            )
    logits: torch.Tensor = result.logits[0, -1].float()
    return logits


def unknown_attention(architecture: str, reason: str) -> ModelError:
    return ModelError(
        f"{architecture} models do not run here on PyTorch yet: {reason}",
        "take the model as GGUF without hf:, or another model",
    )
