"""What was asked last is remembered, and no more than that."""

import threading

from hypothesis import given
from hypothesis import strategies as st

from assistant.backends.recent import Recent


def test_the_least_recently_used_goes_first() -> None:
    recent: Recent[str, int] = Recent(3)
    for number, key in enumerate("abc"):
        recent.put(key, number, 1)
    assert recent.get("a") == 0
    recent.put("d", 3, 1)
    assert [recent.get(key) for key in "abcd"] == [0, None, 2, 3]


def test_what_is_too_large_alone_drives_nothing_out() -> None:
    recent: Recent[str, int] = Recent(3)
    recent.put("a", 1, 3)
    recent.put("b", 2, 4)
    assert (recent.get("a"), recent.get("b")) == (1, None)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 7)), max_size=60))
def test_the_sizes_never_add_up_to_more_than_the_bound(puts: list[tuple[int, int]]) -> None:
    recent: Recent[int, int] = Recent(10)
    sizes: dict[int, int] = {}
    for key, size in puts:
        recent.put(key, size, size)
        sizes[key] = size
        kept = [value for value in map(recent.get, range(10)) if value is not None]
        assert sum(kept) <= 10
        assert all(recent.get(k) in (None, s) for k, s in sizes.items())
        assert recent.get(key) == size


def test_many_threads_may_use_it() -> None:
    recent: Recent[int, int] = Recent(50)
    wrong: list[int] = []

    def use(first: int) -> None:
        for number in range(2000):
            key = (first + number) % 100
            recent.put(key, key, 1)
            if recent.get(key) not in (key, None):
                wrong.append(key)

    threads = [threading.Thread(target=use, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert sum(recent.get(key) is not None for key in range(100)) == 50
