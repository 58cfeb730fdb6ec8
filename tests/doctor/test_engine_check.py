"""Whether the doctor sees the engines, and one that hangs."""

import os
import signal

from resident_engines import OpenResident, only_engine, open_resident, resident_home

from assistant.doctor.check import Status
from assistant.doctor.engines import check_engine

__all__ = ["open_resident", "resident_home"]


def test_what_runs_is_named_and_what_hangs_is_a_warning(open_resident: OpenResident) -> None:
    assert check_engine().says.startswith("none runs now; sockets in ")
    open_resident()
    found = check_engine()
    assert found.status is Status.OK
    assert found.says.startswith("SmolLM2-135M-Instruct Q4_1 (")
    pid = only_engine().pid
    os.kill(pid, signal.SIGSTOP)
    stopped = check_engine()
    assert stopped.status is Status.WARNING
    assert stopped.hint == f"llmchat engine stop {pid}"
