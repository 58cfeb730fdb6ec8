"""Which process is writing a message, and whether it still lives."""

import os
import time
from functools import cache
from pathlib import Path

PROCESSES = Path("/proc")  # Linux has it
BOOT_ID = PROCESSES / "sys/kernel/random/boot_id"
DEAD_STATES = "ZX"  # zombies wait for their parent only
LONGEST_LOOK_SECONDS = 5.0


def this_writer() -> str:
    """This boot of the machine, this process and when it started: numbers are given again."""
    return _writer(os.getpid())


def is_writing(writer: str) -> bool:
    """Whether the process that called `this_writer` is still there."""
    _, _, rest = writer.partition(" ")
    pid, _, _ = rest.partition(" ")
    return pid.isdigit() and writer == f"{_boot()} {pid} {_start_of(int(pid)) or 'gone'}"


def is_of_this_boot(writer: str) -> bool:
    """False where boots have no name: it cannot be known then."""
    boot = writer.partition(" ")[0]
    return boot == _boot() != "-"


def seconds_of_boot() -> float:
    """When this machine was started, in seconds since the epoch."""
    return time.time() - time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@cache
def _writer(pid: int) -> str:
    """By number, so that a forked child asks for itself."""
    return f"{_boot()} {pid} {_start_of(pid)}"


@cache
def _boot() -> str:
    """Where it has no name, "-": the time at which a process started tells boots apart, too."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return "-"


def _start_of(pid: int) -> str:
    """When the process started, one word; "" when there is none."""
    if not PROCESSES.joinpath("self").exists():
        return _start_by_ps(pid)
    try:
        fields = PROCESSES.joinpath(str(pid), "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in DEAD_STATES else fields[19]  # clock ticks since the boot


def _start_by_ps(pid: int) -> str:
    import subprocess  # takes 5 ms

    try:
        told = subprocess.run(  # noqa: S603 # the number of a process
            ("/bin/ps", "-o", "stat=", "-o", "lstart=", "-p", str(pid)),
            capture_output=True,
            text=True,
            timeout=LONGEST_LOOK_SECONDS,
            env={"LC_ALL": "C", "TZ": "UTC"},
            check=False,
        ).stdout.split()
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if not told or told[0][0] in DEAD_STATES else "_".join(told[1:])
