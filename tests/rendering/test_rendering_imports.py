"""Rendering costs nothing at start-up until something pretty is shown."""

import subprocess
import sys

CODE = """
import sys
import assistant.rendering.plain, assistant.rendering.pretty, assistant.rendering.progress
print(sorted({"rich", "pygments", "markdown_it"} & set(sys.modules)))
"""


def test_a_pipe_never_imports_rich_or_pygments() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
