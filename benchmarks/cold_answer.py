"""How long does one answer take from a cold start, and how much memory, beside `llm`?

Same model, same system prompt, same question, as many new tokens as `llm` wrote.
"""

import statistics
import tempfile

from assistant.backends.base import ModelSpec
from assistant.backends.llamacpp import LlamaCppBackend
from assistant.model_store.local_models import find_model
from assistant.prompts.finding import find_prompt
from benchmarks.measure import BIN, RUNS, detail, show, spread, timed_process

QUESTION = "What does len([1, 2, 3]) return? Answer with one short sentence."


def main() -> None:
    backend = LlamaCppBackend(ModelSpec(find_model("starter")), lambda _share: True)
    system = find_prompt("ask").system
    ours: list[tuple[float, int]] = []
    peer: list[tuple[float, int]] = []
    with tempfile.TemporaryDirectory() as home:
        our_command = [*("env", f"LLMCHAT_HOME={home}", str(BIN / "llmchat"), "--no-resident")]
        peer_command = ["env", f"LLM_USER_PATH={home}", str(BIN / "llm"), "-m", "SmolLM2"]
        for _ in range(RUNS + 1):
            seconds, memory, text = timed_process(
                [*peer_command, "--no-log", "-s", system, QUESTION]
            )
            peer.append((seconds, memory))
            tokens = len(backend.tokenizer.tokenize(text.rstrip("\n")))
            seconds, memory, _ = timed_process(
                [*our_command, "-o", "max_tokens", str(max(1, tokens)), QUESTION]
            )
            ours.append((seconds, memory))
    backend.close()
    del ours[0], peer[0]  # the first pair warms the page cache
    detail(f"seconds: ours {spread([s for s, _ in ours])}; llm {spread([s for s, _ in peer])}")
    pairs = [mine / theirs for (mine, _), (theirs, _) in zip(ours, peer, strict=True)]
    show("cold answer, whole process, against llm", statistics.median(pairs), 0.6, at_most=True)
    detail(
        f"MiB: ours {spread([m / 1024 for _, m in ours])}; "
        f"llm {spread([m / 1024 for _, m in peer])}"
    )
    memory_ratio = statistics.median(m for _, m in ours) / statistics.median(m for _, m in peer)
    show("peak memory of that process, against llm", memory_ratio, 1.1, at_most=True)
