"""Sessions with an engine that is scripted, as tests ask them."""

from template_engine import TemplateEngine

from assistant.config import SamplingChoices
from assistant.conversation.questions import Question
from assistant.conversation.session import Session, Turn
from assistant.conversation.store import Store
from assistant.events import Finished
from assistant.messages import ChatPrompt
from assistant.prompts.finding import find_prompt


def session_of(
    engine: TemplateEngine, store: Store, *, max_tokens: int = 200, **more: object
) -> Session:
    choices = SamplingChoices(temperature=0.0, max_new_tokens=max_tokens)
    return Session(engine, choices, lambda: store, **more)  # type: ignore[arg-type]  # by name


def ask(session: Session, text: str, **more: object) -> Turn:
    """The whole turn."""
    turn = session.ask(question(text, **more))  # type: ignore[arg-type]  # by name
    assert isinstance(list(turn.stream)[-1], Finished)
    return turn


def question(text: str, prompt: str = "ask", **more: object) -> Question:
    return Question(find_prompt(prompt), text, **more)  # type: ignore[arg-type]  # by name


def sent(engine: TemplateEngine, at: int = -1) -> list[str]:
    """The texts of the messages of a request, and who says them."""
    prompt = engine.requests[at].prompt
    assert isinstance(prompt, ChatPrompt)
    return [f"{m.role.value[0]}: {m.text}" for m in prompt.messages]


def head(engine: TemplateEngine) -> str:
    return sent(engine)[0]
