"""The command under test computes on one core, so that it is no slower on a busy machine."""

import pytest


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMCHAT_THREADS", "1")
