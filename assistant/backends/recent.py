"""Results that are likely to be asked for again, within a bounded memory."""

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The values that were used last. Any thread, without waiting.

    Their sizes, in whatever unit `put` is told, add up to no more than `most`; a value that is
    larger alone is not kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._size = 0
        self._guard = threading.Lock()  # held for a moment, never while something is computed

    def get(self, key: K) -> V | None:
        with self._guard:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def clear(self) -> None:
        with self._guard:
            self._values.clear()
            self._size = 0

    def put(self, key: K, value: V, size: int) -> None:
        if size > self._most:
            return
        with self._guard:
            if key in self._values:
                self._size -= self._values.pop(key)[1]
            self._values[key] = value, size
            self._size += size
            while self._size > self._most:
                self._size -= self._values.popitem(last=False)[1][1]
