"""How long does `llmchat --help` take, beside `llm --help`?"""

from functools import partial

from benchmarks.measure import BIN, ratio, show, timed_process


def wall_seconds(program: str, flag: str) -> float:
    return timed_process([str(BIN / program), flag])[0]


def main() -> None:
    for flag in ("--help", "--version"):
        measured = ratio(
            partial(wall_seconds, "llmchat", flag),
            partial(wall_seconds, "llm", "--help"),
            runs=9,
        )
        show(f"llmchat {flag}, wall, against llm --help", measured, 0.2, at_most=True)
