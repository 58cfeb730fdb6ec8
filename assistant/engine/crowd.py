"""How many requests are under way, in all and for each client: more than that are refused."""

import threading
from collections import Counter

from assistant.errors import EngineBusy

MOST_REQUESTS = 256  # that run or wait
MOST_OF_ONE_CLIENT = 64


class Crowd:
    """Thread-safe. Whoever came has to go."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._by_client: Counter[int] = Counter()

    def come(self, client: int) -> None:
        """Raises `EngineBusy` when there are too many already."""
        with self._guard:
            total, own = self._by_client.total(), self._by_client[client]
            if total >= MOST_REQUESTS:
                raise EngineBusy(
                    f"the engine is busy: {total} requests run or wait", "try again later"
                )
            if own >= MOST_OF_ONE_CLIENT:
                raise EngineBusy(
                    f"{own} requests of this program run or wait already",
                    "wait for one of them to end",
                )
            self._by_client[client] += 1

    def go(self, client: int) -> None:
        with self._guard:
            self._by_client[client] -= 1
            self._by_client += Counter()  # forgets clients without requests
