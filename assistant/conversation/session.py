"""One turn: a question with its prompt file and attachments is measured, fitted and asked.

Every front end calls this, and knows nothing else of engines.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from msgspec import Struct

from assistant.backends.base import SamplingOptions
from assistant.config import SamplingChoices
from assistant.conversation.window import Ledger, fit, require_room, take_stock
from assistant.engine.base import AnswerStream, Engine, GenerationRequest
from assistant.messages import Attachment, ChatPrompt, Message, Prompt, RawPrompt, Rendered, Role
from assistant.prompts.prompt_file import PromptFile


class Question(Struct, frozen=True):
    """What a user asks: words, attachments, and the prompt file that puts them into place.

    `variables` of the prompt file that were chosen. `system` replaces its system message;
    `language` is the one to answer in, by name ("" leaves it to the model). `candidates`
    answers are written.
    """

    prompt: PromptFile
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    sampling: SamplingChoices = SamplingChoices()
    variables: Mapping[str, str] = {}
    system: str = ""
    language: str = ""
    candidates: int = 1


class Turn(Struct, frozen=True):
    """A question on its way: the ledger says what is sent, the stream brings the answer."""

    ledger: Ledger
    stream: AnswerStream


class Session:
    """A conversation of one turn: it has no memory yet."""

    def __init__(self, engine: Engine, sampling: SamplingChoices) -> None:
        self._engine = engine
        self._sampling = sampling
        self._first_day = date.today()

    def ask(self, question: Question) -> Turn:
        """Start the answer. Raises `PromptTooLong`, `ModelError` or `UsageError` at once."""
        prompt, choices = self._prompt(question), self._choices(question)
        ledger = fit(self._engine, prompt, choices.max_new_tokens, _names(question))
        request = GenerationRequest(
            prompt,
            sampling=_options(choices),
            max_new_tokens=ledger.max_new_tokens,
            seed=choices.seed,
            candidates=question.candidates,
        )
        return Turn(ledger, self._engine.stream(request))

    def render(self, question: Question) -> Rendered:
        """The exact prompt that `ask` would send; runs nothing."""
        return self._engine.render(self._prompt(question))

    def is_greedy(self, question: Question) -> bool:
        """Whether nothing is left to chance, so that all answers are the same."""
        return not _options(self._choices(question)).temperature

    def take_stock(self, question: Question) -> Ledger:
        """Where the window would go; runs nothing, and fails for nothing that is too long."""
        wanted = self._choices(question).max_new_tokens
        return take_stock(self._engine, self._prompt(question), wanted)

    def require_room(self, question: Question, ledger: Ledger) -> None:
        """Raises `PromptTooLong` as `ask` would."""
        require_room(ledger, _names(question))

    def _choices(self, question: Question) -> SamplingChoices:
        return question.sampling.over(self._sampling).over(question.prompt.sampling)

    def _prompt(self, question: Question) -> Prompt:
        file = question.prompt
        messages = file.fill(
            question.text,
            question.attachments,
            question.variables,
            language=question.language,
            system=question.system,
        )
        if file.is_plain_text and self._engine.info.abilities.encoder:
            return RawPrompt(_user_text(messages))
        return ChatPrompt(messages, self._first_day)  # which an encoder–decoder model refuses


def _names(question: Question) -> list[str]:
    return [attachment.name for attachment in question.attachments]


def _user_text(messages: Sequence[Message]) -> str:
    return "\n\n".join(message.text for message in messages if message.role is Role.USER)


def _options(choices: SamplingChoices) -> SamplingOptions:
    given = {
        name: value
        for name in ("temperature", "top_k", "top_p", "min_p", "repeat_penalty")
        if (value := getattr(choices, name)) is not None
    }
    return SamplingOptions(**given)
