"""How long and how large the render of a template may get. Knows nothing of environments."""

import ctypes
import threading
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, TypeVar

from jinja2.exceptions import TemplateError as JinjaError
from jinja2.utils import Namespace

MAX_OUTPUT = 4 << 20  # characters, beyond what the messages hold
MAX_WORK = 24 << 20  # characters and items made while rendering, beyond WORK_SHARE
WORK_SHARE = 16  # times the size of the messages
MAX_ITEMS = 200_000  # of one list, and of everything nested in one value

Result = TypeVar("Result")


class TimeUp(BaseException):
    """Raised inside a render by its watchdog; not an Exception, so no template can catch it."""


class TooMuchError(JinjaError):
    """The template asks for more memory than a chat can need."""


def run_within(seconds: float, work: Callable[[], Result]) -> Result:
    """Call `work` in this thread; raise `TimeUp` when it takes longer.

    Nothing is raised in the thread after this returned: the timer is waited for, and when it
    fired, so is what it sent. It fires once, so the last lines cannot be interrupted.
    """
    thread = ctypes.c_ulong(threading.get_ident())
    has_fired = has_struck = False

    def fire() -> None:
        nonlocal has_fired
        has_fired = True
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(TimeUp))

    timer = threading.Timer(max(seconds, 0.0), fire)
    timer.daemon = True
    timer.start()
    try:
        try:
            return work()
        except TimeUp:
            has_struck = True
            raise
        finally:
            timer.cancel()
            timer.join()
            # Python raises what was sent at the end of a loop's round. Taking it back instead
            # (by sending NULL) would leave the interpreter looking for it forever.
            for _ in range(1000):
                if has_struck or not has_fired:
                    break
    except TimeUp:
        timer.cancel()
        timer.join()
        raise


class Budget(threading.local):
    """What the render that runs in this thread may still make."""

    output = MAX_OUTPUT
    work = MAX_WORK

    def reset(self, size: int) -> None:
        self.output = MAX_OUTPUT + size
        self.work = MAX_WORK + WORK_SHARE * size

    def spend(self, amount: int) -> None:
        if amount > self.work:
            raise TooMuchError("the template makes too much text")
        self.work -= amount

    def weigh(self, value: object) -> tuple[int, int]:
        """Characters and items in a value, counted as often as they would be printed."""
        size, items, todo = 0, 0, [value]
        while todo:
            match todo.pop():
                case str() as text:
                    size += len(text)
                case Mapping() as mapping:
                    todo.extend(islice(mapping, MAX_ITEMS))
                    todo.extend(islice(mapping.values(), MAX_ITEMS))
                case list() | tuple() | set() | frozenset() as sequence:
                    todo.extend(islice(sequence, MAX_ITEMS))
                case Namespace() as namespace:
                    todo.append(getattr(namespace, "_Namespace__attrs"))  # noqa: B009 - mangled
                case _:
                    size += 8
            items += 1
            if items + len(todo) > MAX_ITEMS or size > self.work:
                raise TooMuchError("the template makes too much text")
        return size, items

    def take(self, value: Any) -> Any:
        """Count a value that was just made, and give it back."""
        if isinstance(value, str):
            self.spend(len(value))
        elif isinstance(value, list | tuple | dict | set):
            self.spend(self.weigh(value)[1])
        return value

    def take_slice(self, value: Any) -> Any:
        """Count a slice: what is in its items was counted when they were made."""
        if hasattr(value, "__len__"):
            self.spend(len(value))
        return value
