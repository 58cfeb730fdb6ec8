"""What starts often must start fast: help, version and refusals import nothing heavy."""

import subprocess
import sys

import pytest

from assistant import __version__

HEAVY = (
    *("llama_cpp", "numpy", "textual", "rich", "pygments", "jinja2", "yaml", "markdown_it"),
    *("pydantic", "assistant.engine", "assistant.backends"),
)
ON_PYTORCH = (
    *("torch", "transformers", "safetensors", "tokenizers", "accelerate", "gguf"),
    "assistant.backends.huggingface",
)
IMPORTED = f"""
import sys
from assistant.cli.main import run_command
code = run_command()
heavy = {HEAVY + ON_PYTORCH!r}
print([name for name in heavy if name in sys.modules], code, file=sys.stderr)
"""


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", IMPORTED, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [("--help", 0), ("--version", 0), ("config --help", 0), ("completion bash", 0)],
)
def test_nothing_heavy_is_imported(words: str, code: int) -> None:
    done = run(*words.split())
    assert done.stderr == f"[] {code}\n"
    assert done.stdout


def test_the_help_of_a_prompt_reads_its_file_and_nothing_else_that_is_heavy() -> None:
    done = run("explain", "--help")
    assert done.stdout
    heavy = [name for name in (*HEAVY, *ON_PYTORCH) if f"'{name}'" in done.stderr]
    assert heavy == ["yaml"]


@pytest.mark.parametrize("line", ["llmchat ex", "llmchat prompts show re", "llmchat -m st"])
def test_completion_imports_nothing_heavy(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_LLMCHAT_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(line.split()) - 1))
    done = run()
    assert done.stderr == "[] 0\n"
    assert done.stdout.split() in (["explain"], ["review"], ["starter"])


def test_an_answer_of_llamacpp_imports_nothing_of_pytorch() -> None:
    done = run("hi", "-q", *("-o", "temperature", "0", "-o", "max_tokens", "2"))
    assert done.stdout
    assert "'assistant.engine'" in done.stderr
    assert done.stderr.endswith("] 0\n")
    assert [name for name in ON_PYTORCH if f"'{name}'" in done.stderr] == []


def test_version() -> None:
    words = [sys.executable, "-m", "assistant", "--version"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == (
        f"llmchat {__version__}\n"
    )
