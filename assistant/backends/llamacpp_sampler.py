"""llama.cpp's native sampler chain: penalties, grammar, top-k, top-p, min-p, temperature."""

import ctypes
from collections.abc import Iterator
from typing import Any

from assistant.backends.base import SamplingOptions
from assistant.errors import UsageError

PENALTY_WINDOW = 64  # tokens that repeat_penalty looks back over
RANDOM_SEED = 2**32 - 1  # LLAMA_DEFAULT_SEED: llama.cpp draws another one each time


class LlamaCppSampler:
    """One answer's chain; it remembers the tokens it drew."""

    def __init__(
        self, lib: Any, vocab: Any, options: SamplingOptions, seed: int, grammar: str
    ) -> None:
        self._lib = lib
        params = lib.llama_sampler_chain_default_params()
        params.no_perf = True
        self.chain: Any = lib.llama_sampler_chain_init(params)
        try:
            for sampler in self._links(vocab, options, seed, grammar):
                lib.llama_sampler_chain_add(self.chain, sampler)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self.chain is not None:
            self._lib.llama_sampler_free(self.chain)
            self.chain = None

    def _links(
        self, vocab: Any, options: SamplingOptions, seed: int, grammar: str
    ) -> Iterator[Any]:
        lib = self._lib
        if options.repeat_penalty != 1.0:
            yield lib.llama_sampler_init_penalties(
                lib.llama_vocab_n_tokens(vocab), PENALTY_WINDOW, options.repeat_penalty, 0.0, 0.0
            )
        if grammar:
            bound = lib.llama_sampler_init_grammar(vocab, grammar.encode(), b"root")
            if not bound:
                raise UsageError("the grammar does not parse", "it is GBNF with a rule named root")
            yield bound
        if options.temperature == 0:
            yield lib.llama_sampler_init_greedy()
            return
        if options.top_k > 0:
            yield lib.llama_sampler_init_top_k(options.top_k)
        if options.top_p < 1:
            yield lib.llama_sampler_init_top_p(ctypes.c_float(options.top_p), 1)
        if options.min_p > 0:
            yield lib.llama_sampler_init_min_p(ctypes.c_float(options.min_p), 1)
        yield lib.llama_sampler_init_temp(ctypes.c_float(options.temperature))
        yield lib.llama_sampler_init_dist(0 if seed == RANDOM_SEED else seed)
