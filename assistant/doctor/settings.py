"""What the user wrote: settings, environment variables, prompt files."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from assistant.doctor.check import Check, check, failed, ok, warning
from assistant.errors import UsageError

PREFIX = "LLMCHAT_"
NO_SETTINGS = ("LLMCHAT_HOME", "LLMCHAT_API_KEY", "LLMCHAT_REQUIRE_TEST_DATA")
FOR_TESTS = "LLMCHAT_TEST_"
MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class PromptState:
    """A prompt file, and why it cannot be used."""

    path: Path
    error: UsageError | None = None


@check("settings")
def check_settings(load: Callable[[], object]) -> Check:
    """`load` reads all settings and raises `UsageError`."""
    load()
    return ok("every file and variable is valid")


@check("environment")
def check_environment(environment: Mapping[str, str], settings: Collection[str]) -> Check:
    """`settings` are the names of all settings. Values are not shown: they may be secrets."""
    known = {*(PREFIX + name.upper() for name in settings), *NO_SETTINGS}
    given = sorted(name for name in environment if name.startswith(PREFIX))
    strange = [name for name in given if name not in known and not name.startswith(FOR_TESTS)]
    if strange:
        said = "; ".join(f"{name} is no setting{_nearest(name, known)}" for name in strange)
        return warning(said, f"unset {' '.join(strange)}")
    return ok(f"{', '.join(given) or 'no LLMCHAT_ variable'} set")


def _nearest(name: str, known: Collection[str]) -> str:
    ends = {other.removeprefix(PREFIX): other for other in known}
    near = get_close_matches(name.removeprefix(PREFIX), ends, 1)
    return f" (did you mean {ends[near[0]]}?)" if near else ""


@check("prompts")
def check_prompts(find: Callable[[], Iterable[PromptState]]) -> Check:
    prompts = list(find())
    broken = [prompt.error for prompt in prompts if prompt.error is not None]
    if not broken:
        return ok(f"{len(prompts)} files, all can be used")
    said = [error.message for error in broken[:MOST_NAMED]]
    more = len(broken) - len(said)
    return failed(
        "; ".join(said) + (f"; and {more} more" if more else ""),
        broken[0].hint or "correct the file",
    )
