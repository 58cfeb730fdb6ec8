"""How long does `llmchat --help` take, beside `llm --help`?"""

from benchmarks.measure import BIN, ratio, show, timed_process


def main() -> None:
    for flag in ("--help", "--version"):
        measured = ratio(
            lambda flag=flag: timed_process([str(BIN / "llmchat"), flag])[0],
            lambda: timed_process([str(BIN / "llm"), "--help"])[0],
            runs=9,
        )
        show(f"llmchat {flag}, wall, against llm --help", measured, 0.2, at_most=True)
