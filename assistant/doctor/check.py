"""What a check finds, and the promise that no check raises."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import wraps
from typing import ParamSpec

from assistant.errors import AssistantError

P = ParamSpec("P")


class Status(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the doctor's: what was looked at, what was found, and what to type next."""

    name: str
    status: Status
    says: str
    hint: str = ""


def ok(says: str) -> Check:
    return Check("", Status.OK, says)


def warning(says: str, hint: str) -> Check:
    return Check("", Status.WARNING, says, hint)


def failed(says: str, hint: str) -> Check:
    return Check("", Status.FAILED, says, hint)


def check(name: str) -> Callable[[Callable[P, Check]], Callable[P, Check]]:
    """Names what the function finds; whatever it raises is a failed check."""

    def named(function: Callable[P, Check]) -> Callable[P, Check]:
        @wraps(function)
        def run(*given: P.args, **named: P.kwargs) -> Check:
            try:
                found = function(*given, **named)
            except AssistantError as err:
                found = failed(err.message, err.hint)
            except Exception as err:  # a broken machine breaks checks in ways of its own
                found = failed(f"the check itself broke: {type(err).__name__}: {err}", "")
            return replace(found, name=name)

        return run

    return named
