"""Memory and cores, as the machine and the container tell them."""

from pathlib import Path

import pytest

from assistant.model_store.machine import available_bytes, cpu_threads

GIB = 1 << 30
CORE = "processor\t: {logical}\nphysical id\t: {package}\ncore id\t\t: {core}\n\n"


class Machine:
    """A folder that looks like / of a Linux machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """8 GiB free, two packages of two cores of two threads each."""
    found = Machine(tmp_path)
    found.write("proc/meminfo", f"MemTotal: 1 kB\nMemAvailable: {8 * GIB // 1024} kB\n")
    cores = [(package, core) for package in (0, 1) for core in (0, 1)] * 2
    found.write(
        "proc/cpuinfo",
        "".join(CORE.format(logical=n, package=p, core=c) for n, (p, c) in enumerate(cores)),
    )
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(8)), raising=False)
    return found


def test_this_machine_has_memory_and_a_core() -> None:
    assert available_bytes() > 64 << 20
    assert cpu_threads() >= 1


def test_without_a_cgroup_the_machine_decides(machine: Machine) -> None:
    assert available_bytes(machine.root) == 8 * GIB
    assert cpu_threads(machine.root) == 4


def test_a_cgroup_v2_limits_memory_and_its_page_cache_is_free(machine: Machine) -> None:
    machine.write("proc/self/cgroup", "0::/user/app\n")
    machine.write("sys/fs/cgroup/user/app/memory.max", "max\n")
    machine.write("sys/fs/cgroup/user/app/memory.current", f"{GIB}\n")
    assert available_bytes(machine.root) == 8 * GIB
    machine.write("sys/fs/cgroup/user/memory.max", f"{3 * GIB}\n")
    machine.write("sys/fs/cgroup/user/memory.current", f"{2 * GIB}\n")
    machine.write("sys/fs/cgroup/user/memory.stat", f"anon 5\ninactive_file {GIB // 2}\n")
    assert available_bytes(machine.root) == GIB + GIB // 2


def test_a_cgroup_v1_limits_memory(machine: Machine) -> None:
    machine.write("proc/self/cgroup", "4:memory:/docker/abc\n2:cpu,cpuacct:/\n")
    machine.write("sys/fs/cgroup/memory/memory.limit_in_bytes", f"{2 * GIB}\n")
    machine.write("sys/fs/cgroup/memory/memory.usage_in_bytes", f"{GIB}\n")
    assert available_bytes(machine.root) == GIB


def test_a_cgroup_over_its_limit_leaves_nothing(machine: Machine) -> None:
    machine.write("proc/self/cgroup", "0::/\n")
    machine.write("sys/fs/cgroup/memory.max", "1000\n")
    machine.write("sys/fs/cgroup/memory.current", "2000\n")
    assert available_bytes(machine.root) == 0


@pytest.mark.parametrize(
    ("quota", "threads"), [("max 100000", 4), ("150000 100000", 2), ("5000 100000", 1), ("", 4)]
)
def test_a_cpu_quota_is_rounded_up(machine: Machine, quota: str, threads: int) -> None:
    machine.write("proc/self/cgroup", "0::/app\n")
    machine.write("sys/fs/cgroup/app/cpu.max", f"{quota}\n")
    assert cpu_threads(machine.root) == threads


@pytest.mark.parametrize(("quota", "threads"), [(-1, 4), (250_000, 3)])
def test_a_cpu_quota_of_cgroup_v1_counts(machine: Machine, quota: int, threads: int) -> None:
    machine.write("proc/self/cgroup", "4:cpu,cpuacct:/\n")
    machine.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", f"{quota}\n")
    machine.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
    assert cpu_threads(machine.root) == threads


def test_the_cores_we_may_not_run_on_do_not_count(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: {3}, raising=False)
    assert cpu_threads(machine.root) == 1


def test_a_machine_that_tells_nothing_still_has_memory_and_a_core(tmp_path: Path) -> None:
    assert available_bytes(tmp_path) > 0
    assert cpu_threads(tmp_path) >= 1
