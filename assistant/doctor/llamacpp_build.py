"""Whether llama.cpp can be loaded here; a child process has tried it (llamacpp_probe.py)."""

import re
import shlex
import sys

from assistant.doctor.check import Check, check, failed, ok
from assistant.doctor.children import ChildAnswer
from assistant.doctor.llamacpp_probe import PACKAGE, installed_version

PROBE = "assistant.doctor.llamacpp_probe"
MISSING_LIBRARY = re.compile(r"(lib[\w.+-]+): cannot open shared object file")


def rebuild_command() -> str:
    """Compiles the installed version again, for this processor, and changes nothing else."""
    installed = installed_version()
    wanted = f"{PACKAGE}=={installed}" if installed else PACKAGE
    return (
        f"{shlex.quote(sys.executable)} -m pip install --force-reinstall --no-deps "
        f"--no-cache-dir --no-binary {PACKAGE} {wanted}"
    )


@check("llama.cpp")
def check_llamacpp(answer: ChildAnswer) -> Check:
    if answer.signal == "SIGILL":
        return failed("llama.cpp was built for another processor (SIGILL)", rebuild_command())
    if answer.problem:
        return failed(f"llama.cpp cannot be loaded: {answer.problem}", rebuild_command())
    if "error" in answer.content:
        return failed(str(answer.content["error"]), _hint(answer))
    where = "GPU" if answer.content.get("has_gpu") else "CPU"
    return ok(f"{PACKAGE} {answer.content.get('version')}, built for the {where}")


def _hint(answer: ChildAnswer) -> str:
    if not installed_version():
        return f"{shlex.quote(sys.executable)} -m pip install 'llama-cpp-python>=0.3.36,<0.4'"
    missing = MISSING_LIBRARY.search(str(answer.content["error"]))
    if missing:
        return f"install the system's package that has {missing[1]}; or {rebuild_command()}"
    return rebuild_command()
