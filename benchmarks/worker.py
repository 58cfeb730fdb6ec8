"""Something to measure, in a process of its own.

Two libraries with threads of their own in one process outnumber the cores and stop spinning at
barriers: both would be measured at half their speed.
"""

import multiprocessing
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection

Measures = Mapping[str, Callable[..., float]]


class Worker:
    """Measures on request; idle in between. `open_measures` runs in the new process."""

    def __init__(self, open_measures: Callable[..., Measures], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, open_measures, arguments), daemon=True
        )
        self._process.start()

    def ask(self, name: str, *arguments: object) -> float:
        self._pipe.send((name, arguments))
        return float(self._pipe.recv())

    def close(self) -> None:
        self._pipe.close()
        self._process.join()


def _serve(
    pipe: Connection, open_measures: Callable[..., Measures], arguments: tuple[object, ...]
) -> None:
    measures = open_measures(*arguments)
    while True:
        try:
            name, asked = pipe.recv()
        except EOFError:
            return
        pipe.send(measures[name](*asked))
