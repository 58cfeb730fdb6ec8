"""How long do `llmchat --help`, with 50 prompts of one's own, and `--version` take?"""

import os
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.measure import BIN, ratio, show, timed_process

PROMPTS = 50
PROMPT = """---
name: own{number}
description: Do what prompt {number} of somebody who writes many prompts does
takes: [files, stdin, question]
variables: {{reader: a programmer}}
system: You help {{{{ reader }}}}.
---
{{{{ files }}}}

{{{{ question }}}}
"""


def wall_seconds(program: str, flag: str) -> float:
    return timed_process([str(BIN / program), flag])[0]


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["LLMCHAT_HOME"] = home
        write_prompts(Path(home) / "config" / "prompts")
        for flag in ("--help", "--version"):
            measured = ratio(
                partial(wall_seconds, "llmchat", flag),
                partial(wall_seconds, "llm", "--help"),
                runs=9,
            )
            kind = f"{flag}, {PROMPTS} own prompts" if flag == "--help" else flag
            show(f"llmchat {kind}, wall, against llm --help", measured, 0.2, at_most=True)
        del os.environ["LLMCHAT_HOME"]


def write_prompts(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(PROMPTS):
        (folder / f"own{number}.md").write_text(PROMPT.format(number=number))
