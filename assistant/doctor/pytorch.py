"""PyTorch, which only hf: models need; a child process has looked at it (pytorch_probe.py)."""

from assistant.doctor.check import Check, check, failed, ok, warning
from assistant.doctor.children import ChildAnswer

PROBE = "assistant.doctor.pytorch_probe"
INSTALL = "pip install 'llmchat[torch]'"
IMPORT_SECONDS = 60.0  # from a cold disk


@check("PyTorch")
def check_pytorch(answer: ChildAnswer, *, is_needed: bool) -> Check:
    """`is_needed`: the chosen model runs on it, so that what is wrong with it is a failure."""
    wrong = failed if is_needed else warning
    if answer.problem:
        return wrong(f"looking at PyTorch failed: {answer.problem}", f"install again: {INSTALL}")
    found = answer.content
    version = str(found.get("version", ""))
    if not version:
        if is_needed:
            return failed("not installed, and the model runs on it", INSTALL)
        return ok(f"not installed; only hf: models need it ({INSTALL})")
    if "error" in found:
        return wrong(f"{version} cannot be imported: {found['error']}", f"again: {INSTALL}")
    gpus = [str(name) for name in found.get("gpus", [])]
    facts = f"{version}, built for {found['built_for']}"
    if gpus and found["built_for"] == "the CPU":
        return warning(
            f"{facts}, and there is a GPU: {', '.join(gpus)}",
            f"install a build for CUDA: pip uninstall torch, then {INSTALL}",
        )
    return ok(f"{facts}; {', '.join(gpus) or 'no GPU'}")
