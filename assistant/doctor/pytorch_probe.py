"""Run as a child: which PyTorch is installed and which NVIDIA GPUs there are; see pytorch.py.

PyTorch is imported only when `import` is the argument: that takes seconds. Without, its version
is read from its own file and the GPUs are asked through NVIDIA's driver library
(https://docs.nvidia.com/cuda/cuda-driver-api/).
"""

import ctypes
import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path

NAME_BYTES = 256
ASSIGNED = re.compile(r"^(__version__|cuda|hip)\b[^=\n]*= *(?:'([^']*)'|None) *$", re.MULTILINE)


def describe(*, imports: bool) -> dict[str, object]:
    """`version` ("" when not installed), `built_for`, `gpus`; `error` when the import fails."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return {"version": "", "built_for": "", "gpus": []}
    found = read_version(Path(spec.origin).parent / "version.py")
    if imports:
        return found | import_torch()
    return found | {"gpus": driver_gpus()}


def read_version(file: Path) -> dict[str, object]:
    """What PyTorch's version.py assigns."""
    try:
        text = file.read_text("utf-8", "replace")
    except OSError:
        text = ""
    values = {name: value or "" for name, value in ASSIGNED.findall(text)}
    cuda, hip = values.get("cuda", ""), values.get("hip", "")
    built_for = f"CUDA {cuda}" if cuda else f"ROCm {hip}" if hip else "the CPU"
    return {"version": values.get("__version__", "unknown"), "built_for": built_for}


def import_torch() -> dict[str, object]:
    """The GPUs as PyTorch itself sees them."""
    try:
        torch = importlib.import_module("torch")  # by name: only this child has it
    except (ImportError, OSError, RuntimeError) as err:
        return {"error": f"{type(err).__name__}: {err}", "gpus": []}
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return {"gpus": [torch.cuda.get_device_name(number) for number in range(count)]}


def driver_gpus() -> list[str]:
    """Names of the GPUs that NVIDIA's driver finds; none without a driver."""
    try:
        cuda = ctypes.CDLL("libcuda.so.1")
        if cuda.cuInit(0) != 0:
            return []
        count, device = ctypes.c_int(), ctypes.c_int()
        cuda.cuDeviceGetCount(ctypes.byref(count))
        names = []
        for number in range(count.value):
            name = ctypes.create_string_buffer(NAME_BYTES)
            cuda.cuDeviceGet(ctypes.byref(device), number)
            cuda.cuDeviceGetName(name, NAME_BYTES, device)
            names.append(name.value.decode("utf-8", "replace"))
    except (OSError, AttributeError):
        return []
    return names


if __name__ == "__main__":
    print(json.dumps(describe(imports="import" in sys.argv[1:])))  # noqa: T201 # the answer
