"""Which runtime opens a model, and what is said when PyTorch is not there."""

import subprocess
import sys

import pytest

from assistant.backends.base import ModelSpec
from assistant.backends.llamacpp import LlamaCppBackend
from assistant.backends.open import open_backend
from assistant.model_store.local_models import find_model

WITHOUT = """
import sys
sys.modules[sys.argv.pop(1)] = None
from assistant.cli.main import main
main()
"""


@pytest.mark.parametrize("library", ["torch", "transformers"])
def test_without_pytorch_the_command_that_installs_it_is_named(library: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, library, "-m", "hf:starter", "hi"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stdout == ""
    assert done.stderr == (
        "error: hf: models run on PyTorch, which cannot be imported: "
        f"import of {library} halted; None in sys.modules "
        "(install it: pip install 'llmchat[torch]')\n"
    )


def test_a_model_without_a_prefix_runs_on_llamacpp() -> None:
    backend = open_backend(ModelSpec(find_model(), window=256, threads=1), lambda _event: True)
    try:
        assert isinstance(backend, LlamaCppBackend)
    finally:
        backend.close()
