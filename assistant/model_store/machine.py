"""What this machine, or the container we are in, lets us use: free memory and CPU cores.

`root` is / except in tests. Sources: proc_meminfo(5), cgroups(7),
https://docs.kernel.org/admin-guide/cgroup-v2.html
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/")


def available_bytes(root: Path = ROOT) -> int:
    """Bytes that can be used without swapping: the least of the machine's and its cgroups'.

    Page cache counts as free, in cgroups too: the kernel gives it up first. Outside Linux, all
    physical memory.
    """
    return max(0, min([_machine_bytes(root), *_cgroup_bytes(root)]))


def cpu_threads(root: Path = ROOT) -> int:
    """Threads worth computing with: physical cores that we may run on and have time on."""
    return max(1, min([_physical_cores(root), *_allowed_cores(), *_quota_cores(root)]))


def _machine_bytes(root: Path) -> int:
    for line in _lines(root / "proc/meminfo"):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _cgroup_bytes(root: Path) -> Iterator[int]:
    for version, folder in _cgroups(root, "memory"):
        names = ("memory.max", "memory.current", "inactive_file ")
        if version == 1:
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ")
        limit, used = _number(folder / names[0]), _number(folder / names[1])
        if limit is None or used is None:
            continue
        cached = [line for line in _lines(folder / "memory.stat") if line.startswith(names[2])]
        yield limit - used + sum(int(line.split()[1]) for line in cached)


def _physical_cores(root: Path) -> int:
    """Pairs of physical id and core id in /proc/cpuinfo; without them, all logical cores."""
    cores, package = set(), ""
    for line in _lines(root / "proc/cpuinfo"):
        if line.startswith("physical id"):
            package = line
        elif line.startswith("core id"):
            cores.add((package, line))
    return len(cores) or os.cpu_count() or 1


def _allowed_cores() -> Iterator[int]:
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        yield len(os.sched_getaffinity(0))


def _quota_cores(root: Path) -> Iterator[int]:
    for version, folder in _cgroups(root, "cpu"):
        if version == 2:
            limits = " ".join(_lines(folder / "cpu.max")).split()
        else:
            limits = _lines(folder / "cpu.cfs_quota_us") + _lines(folder / "cpu.cfs_period_us")
        match limits:
            case [quota, period] if quota.isdigit():  # not "max" or -1
                yield math.ceil(int(quota) / int(period))


def _cgroups(root: Path, controller: str) -> Iterator[tuple[int, Path]]:
    """Version and folder of every cgroup that limits this process, its own first.

    In a container the path in /proc/self/cgroup is often the host's and does not exist here:
    then only its parents that do exist count, at least the mount point.
    """
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = line.split(":", 2)
        if not controllers:
            version, mount = 2, root / "sys/fs/cgroup"
        elif controller in controllers.split(","):
            version, mount = 1, root / "sys/fs/cgroup" / controller
        else:
            continue
        own = mount / path.strip("/")
        for folder in (own, *own.parents):
            if folder.is_dir():
                yield version, folder
            if folder == mount:
                break


def _number(path: Path) -> int | None:
    """None when the file is missing or says "max"."""
    first = next(iter(_lines(path)), "")
    return int(first) if first.lstrip("-").isdigit() else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8", "replace").split("\n")[:-1]
    except OSError:
        return []
