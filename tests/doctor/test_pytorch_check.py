"""PyTorch installed, not installed, broken, and built for something else than is there."""

import ctypes
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from assistant.doctor.check import Status
from assistant.doctor.children import Child, ChildAnswer
from assistant.doctor.pytorch import PROBE, check_pytorch
from assistant.doctor.pytorch_probe import driver_gpus, read_version

GPU = "NVIDIA H200"


def answer(version: str, built_for: str = "", *gpus: str, **more: str) -> ChildAnswer:
    return ChildAnswer({"version": version, "built_for": built_for, "gpus": list(gpus), **more})


def test_the_pytorch_of_this_machine_is_looked_at_without_importing_it() -> None:
    with Child(PROBE) as child:
        found = check_pytorch(child.answer(), is_needed=False)
    assert (found.name, found.says.split(",")[0]) == ("PyTorch", installed_version())


def installed_version() -> str:
    from importlib.metadata import version

    return version("torch")


def test_without_pytorch_only_its_models_fail() -> None:
    found = check_pytorch(answer(""), is_needed=False)
    assert (found.status, "only hf: models need it" in found.says) == (Status.OK, True)
    found = check_pytorch(answer(""), is_needed=True)
    assert (found.status, found.hint) == (Status.FAILED, "pip install 'llmchat[torch]'")


def test_the_gpus_are_named() -> None:
    found = check_pytorch(answer("2.9", "CUDA 12.8", GPU), is_needed=False)
    assert (found.status, found.says) == (Status.OK, f"2.9, built for CUDA 12.8; {GPU}")


def test_a_build_for_the_cpu_beside_a_gpu_is_a_warning() -> None:
    found = check_pytorch(answer("2.9+cpu", "the CPU", GPU), is_needed=False)
    assert (found.status, GPU in found.says) == (Status.WARNING, True)


@pytest.mark.parametrize("is_needed", [True, False])
def test_an_import_that_fails_or_hangs_counts_where_it_is_needed(is_needed: bool) -> None:
    wanted = Status.FAILED if is_needed else Status.WARNING
    broken = answer("2.9", "CUDA 12.8", error="OSError: libcudart.so.12: not found")
    found = check_pytorch(broken, is_needed=is_needed)
    assert (found.status, "libcudart.so.12" in found.says) == (wanted, True)
    hung = ChildAnswer(problem="it did not answer within 60 seconds")
    assert check_pytorch(hung, is_needed=is_needed).status is wanted


def test_the_version_is_read_from_pytorchs_own_file(tmp_path: Path) -> None:
    file = tmp_path / "version.py"
    file.write_text(
        "from typing import Optional\n__version__ = '2.9.0+cu128'\ndebug = False\n"
        "cuda: Optional[str] = '12.8'\nhip: Optional[str] = None\n"
    )
    assert read_version(file) == {"version": "2.9.0+cu128", "built_for": "CUDA 12.8"}
    file.write_text("__version__ = '2.9'\ncuda = None\nhip = '6.4'\n")
    assert read_version(file) == {"version": "2.9", "built_for": "ROCm 6.4"}
    file.unlink()
    assert read_version(file) == {"version": "unknown", "built_for": "the CPU"}


class Driver(SimpleNamespace):
    """NVIDIA's driver library with one GPU; `status` is what cuInit returns."""

    status = 0

    def cuInit(self, _flags: int) -> int:  # noqa: N802 # its name
        return self.status

    def cuDeviceGetCount(self, count: Any) -> None:  # noqa: N802
        count._obj.value = 1

    def cuDeviceGet(self, _device: Any, _number: int) -> None:  # noqa: N802
        pass

    def cuDeviceGetName(self, name: Any, _size: int, _device: Any) -> None:  # noqa: N802
        name.value = GPU.encode()


def test_the_driver_names_its_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: Driver())
    assert driver_gpus() == [GPU]
    monkeypatch.setattr(Driver, "status", 100)  # CUDA_ERROR_NO_DEVICE
    assert driver_gpus() == []


def test_without_a_driver_there_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert driver_gpus() == []
