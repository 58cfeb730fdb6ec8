"""Run as a child: imports llama.cpp and says what was built; see llamacpp_build.py."""

import json
from importlib.metadata import PackageNotFoundError, version

from assistant.backends.llamacpp_bindings import load_bindings
from assistant.errors import ModelError

PACKAGE = "llama-cpp-python"


def describe() -> dict[str, object]:
    """`version`, `system_info` and `has_gpu`; or `error` and `hint`."""
    try:
        lib = load_bindings()
    except ModelError as err:
        return {"error": err.message, "hint": err.hint}
    lib.llama_backend_init()
    return {
        "version": installed_version(),
        "system_info": lib.llama_print_system_info().decode("utf-8", "replace"),
        "has_gpu": bool(lib.llama_supports_gpu_offload()),
    }


def installed_version() -> str:
    """Of the package with llama.cpp; "" when it is not installed."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return ""


if __name__ == "__main__":
    print(json.dumps(describe()))  # noqa: T201 # the child's answer
