"""Exit codes: what scripts may rely on."""

from assistant.errors import (
    AssistantError,
    EngineFailed,
    EngineUnreachable,
    ModelError,
    NotApproved,
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
NOT_APPROVED = 6
ENGINE = 8
UNREACHABLE = 9
LENGTH = 10
TIMEOUT = 124  # as of timeout(1)
HUNG_UP = 129  # 128 + SIGHUP
INTERRUPTED = 130  # 128 + SIGINT
QUIT = 131  # 128 + SIGQUIT
BROKEN_PIPE = 141  # 128 + SIGPIPE
TERMINATED = 143  # 128 + SIGTERM

MEANINGS = {
    OK: "answered",
    GENERAL: "anything else, such as a file that cannot be read",
    USAGE: "the command line or a setting is wrong",
    MODEL: "no model, or one that cannot be loaded",
    TOO_LONG: "too long for the model's window",
    MEMORY: "not enough memory",
    NOT_APPROVED: "somebody said no, or nobody could be asked",
    ENGINE: "the engine failed",
    UNREACHABLE: "the engine or the server cannot be reached, or is too busy",
    LENGTH: "`max_tokens` cut the answer, with `--fail-on-length`",
    TIMEOUT: "the time of `--timeout` was up; what came is kept",
    HUNG_UP: "SIGHUP; what came is kept",
    INTERRUPTED: "Ctrl-C (SIGINT); what came is kept",
    QUIT: "SIGQUIT in the full-screen chat; what came is kept",
    BROKEN_PIPE: "the reader of the pipe left",
    TERMINATED: "SIGTERM; what came is kept",
}

BY_ERROR: dict[type[AssistantError], int] = {
    UsageError: USAGE,
    ModelError: MODEL,
    PromptTooLong: TOO_LONG,
    NotEnoughMemory: MEMORY,
    NotApproved: NOT_APPROVED,
    EngineFailed: ENGINE,
    EngineUnreachable: UNREACHABLE,
}


def exit_code(error: AssistantError) -> int:
    return next((code for kind, code in BY_ERROR.items() if isinstance(error, kind)), GENERAL)
