"""What does the turn after a compaction cost? Only what is new since the head is read."""

from assistant.config import SamplingChoices
from assistant.conversation.compaction import Compaction
from assistant.conversation.questions import Question
from assistant.conversation.session import Session
from assistant.conversation.store import Store
from assistant.engine.prefix_cache import common_prefix
from assistant.prompts.finding import find_prompt
from benchmarks.measure import detail, show
from benchmarks.sharing import watched_engine, words

MOST_TURNS = 40


def main() -> None:
    engine, backend = watched_engine()
    store = Store.in_memory()
    session = Session(engine, SamplingChoices(temperature=0.8, seed=1), lambda: store)
    for turn in range(MOST_TURNS):
        compaction = session.compaction(question(turn))
        if compaction is not None:
            break
        list(session.ask(question(turn, new=100)).stream)
    assert isinstance(compaction, Compaction), "the window never filled"
    before = session.render(question(turn)).token_ids
    list(compaction)
    after = session.render(question(turn)).token_ids
    shared = common_prefix(before, after)
    del backend.calls[:]
    list(session.ask(question(turn, new=1)).stream)
    rows = sum(rows for rows, _seconds in backend.calls)
    detail(
        f"turn {turn + 1}: {len(before):,} tokens before, {len(after):,} after; "
        f"{compaction.messages} messages became a summary of {len(compaction.summary):,} characters"
    )
    show(
        "turn after a compaction: prompt rows that are computed",
        rows,
        len(after) - shared,
        at_most=True,
        unit="rows",
    )
    engine.close()
    store.close()


def question(turn: int, new: int = 400) -> Question:
    return Question(find_prompt("ask"), words(turn), sampling=SamplingChoices(max_new_tokens=new))
