"""What starts often must start fast: help, version and refusals import nothing heavy."""

import subprocess
import sys

import pytest

from assistant import __version__

HEAVY = (
    *("llama_cpp", "numpy", "torch", "transformers", "textual", "rich", "pygments"),
    *("jinja2", "yaml", "markdown_it", "pydantic", "assistant.engine", "assistant.backends"),
)
IMPORTED = f"""
import sys
from assistant.cli.main import main
try:
    main()
except SystemExit as end:
    print([name for name in {HEAVY!r} if name in sys.modules], end.code, file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("words", "code"),
    [("--help", 0), ("--version", 0), ("explain --help", 0), ("hi -o nosuch 1 --debug", 2)],
)
def test_nothing_heavy_is_imported(words: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *words.split()],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if code == 0:
        assert done.stderr == "[] 0\n"
        assert done.stdout
    else:
        # The settings are refused before a model is looked for, but after its modules came.
        assert "'pydantic'" not in done.stderr


def test_version() -> None:
    words = [sys.executable, "-m", "assistant", "--version"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == (
        f"llmchat {__version__}\n"
    )
