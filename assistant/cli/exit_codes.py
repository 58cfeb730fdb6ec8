"""Exit codes: what scripts may rely on."""

from assistant.errors import (
    AssistantError,
    EngineFailed,
    ModelError,
    NotEnoughMemory,
    PromptTooLong,
    UsageError,
)

OK = 0
GENERAL = 1
USAGE = 2
MODEL = 3
TOO_LONG = 4
MEMORY = 5
ENGINE = 8
INTERRUPTED = 130  # 128 + SIGINT
BROKEN_PIPE = 141  # 128 + SIGPIPE

BY_ERROR: dict[type[AssistantError], int] = {
    UsageError: USAGE,
    ModelError: MODEL,
    PromptTooLong: TOO_LONG,
    NotEnoughMemory: MEMORY,
    EngineFailed: ENGINE,
}


def exit_code(error: AssistantError) -> int:
    return next((code for kind, code in BY_ERROR.items() if isinstance(error, kind)), GENERAL)
