"""Every error a user may see. Foreign exceptions become one of these where they enter.

AssistantError            anything we can say in one line, with the next command to type
├── UsageError            the command line or a setting is wrong
├── InputError            a file or standard input cannot be used
├── ModelError            no model, or one that cannot be loaded
│   └── TemplateError     the model's chat template refuses these messages
├── PromptTooLong         the prompt does not fit the window
├── NotApproved           somebody said no, or nobody could be asked
├── NotEnoughMemory       the model or its context does not fit the memory
├── EngineFailed          the engine stopped working
└── EngineUnreachable     the engine cannot be started or asked
    └── EngineBusy        it has more to do than it can queue
"""


class AssistantError(Exception):
    """What failed, with which value (`message`), and the next thing to type (`hint`)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AssistantError):
    pass


class InputError(AssistantError):
    pass


class ModelError(AssistantError):
    pass


class TemplateError(ModelError):
    pass


class PromptTooLong(AssistantError):
    pass


class NotApproved(AssistantError):
    pass


class NotEnoughMemory(AssistantError):
    pass


class EngineFailed(AssistantError):
    pass


class EngineUnreachable(AssistantError):
    pass


class EngineBusy(EngineUnreachable):
    pass
