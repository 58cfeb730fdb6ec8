"""`python -m benchmarks` runs all of them, `python -m benchmarks NAME` one."""

import importlib
import sys

NAMES = (
    "startup",
    "attachments",
    "secrets",
    "cold_answer",
    "resident",
    "history",
    "decoding",
    "prefill",
    "batching",
    "sharing",
    "compaction",
    "ledger",
    "prediction",
    "cancel",
    "rendering",
    "screen",
    "runtimes",
    "gpu",
)


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no benchmark {unknown[0]}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    print(f"{'question':58} {'measured':>22} {'bar':>10}")
    for name in names or NAMES:
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


sys.exit(main(sys.argv[1:]))
