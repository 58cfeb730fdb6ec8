"""What every backend promises, shown on real models. A further backend is one more runtime."""

import threading
import time
from collections.abc import Iterator, Sequence

import numpy
import numpy.typing
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from assistant.backends.base import Backend, DecodeResult, ModelSpec, Row, SamplingOptions
from assistant.backends.open import open_backend
from assistant.errors import UsageError

Values = numpy.typing.NDArray[numpy.float32]
RUNTIMES = {"llamacpp": "starter_spec", "torch": "torch_starter_spec"}

GREEDY = SamplingOptions(temperature=0.0)
WARM = SamplingOptions(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0)
YES_OR_NO = 'root ::= "yes" | "no"'
STORY = (
    "The lighthouse keeper wrote in his log every evening: the wind, the ships that passed, the "
    "oil he had burnt. In the winter of that year the entries grew short. A storm had taken the "
    "boat, and nobody came from the village for three weeks. "
)


@pytest.fixture(scope="module", params=list(RUNTIMES))
def spec(request: pytest.FixtureRequest) -> ModelSpec:
    """The starter on each runtime."""
    found: ModelSpec = request.getfixturevalue(RUNTIMES[request.param])
    return found


def open_one(spec: ModelSpec) -> Backend:
    return open_backend(spec, lambda _loading: True)


@pytest.fixture(scope="module")
def opened(spec: ModelSpec) -> Iterator[Backend]:
    backend = open_one(spec)
    yield backend
    backend.close()


@pytest.fixture
def backend(opened: Backend) -> Iterator[Backend]:
    """The module's backend with every slot empty."""
    yield opened
    for slot in range(opened.slots):
        opened.trim(slot, 0)


def ids(backend: Backend, text: str, count: int | None = None) -> list[int]:
    found = backend.tokenizer.tokenize(text)
    return found[:count]


def long_ids(backend: Backend, count: int) -> list[int]:
    found = backend.tokenizer.tokenize(STORY * (count // 40 + 1))
    assert len(found) >= count
    return found[:count]


def read(backend: Backend, slot: int, tokens: Sequence[int], start: int = 0) -> None:
    assert backend.decode([Row(slot, tokens, start, True)]) is DecodeResult.DECODED


def write(
    backend: Backend,
    slot: int,
    start: int,
    count: int,
    options: SamplingOptions = GREEDY,
    seed: int = 7,
    grammar: str = "",
) -> list[int]:
    """Tokens drawn after the logits of the last call's only row."""
    sampler = backend.new_sampler(options, seed, grammar)
    try:
        written = [backend.sample(0, sampler)]
        while len(written) < count and written[-1] not in backend.tokenizer.ends_answer:
            read(backend, slot, written[-1:], start + len(written) - 1)
            written.append(backend.sample(0, sampler))
        return written
    finally:
        sampler.close()


def go_on(backend: Backend, slot: int, prompt: Sequence[int], count: int = 8) -> list[int]:
    """Greedy tokens of a slot that holds all of the prompt but its last token."""
    read(backend, slot, prompt[-1:], len(prompt) - 1)
    return write(backend, slot, len(prompt), count)


def fresh(backend: Backend, slot: int, prompt: Sequence[int], count: int = 8) -> list[int]:
    backend.trim(slot, 0)
    read(backend, slot, prompt[:-1])
    return go_on(backend, slot, prompt, count)


def assert_close(found: Values, expected: Values) -> None:
    """The same choice, and probabilities that differ by rounding at most."""
    assert found.argmax() == expected.argmax()
    numpy.testing.assert_allclose(numpy.exp(found), numpy.exp(expected), atol=0.1)


# ── what a backend says about itself ────────────────────────────────────────────────────────


def test_info_describes_the_model(backend: Backend) -> None:
    info = backend.info
    assert info.name
    assert info.fingerprint
    assert info.quantisation
    assert info.device
    assert 1_000_000 < info.parameters < 10**13
    assert info.size_bytes > 1_000_000
    assert info.window >= 2048
    assert info.build.isprintable()
    assert info.build.count(" · ") >= 3
    assert info.build.endswith(" · 1 thread")
    assert bool(info.template_hash) == info.abilities.chat == (backend.chat_template is not None)
    assert backend.slots >= 2
    assert backend.max_rows >= 32


# Without the letters and controls for which the starter's vocabulary has no byte tokens.
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(st.characters(max_codepoint=0x1FFFF, exclude_categories=["Cs", "Cn", "Cc"])))
def test_text_survives_tokens_and_never_becomes_a_control_token(
    backend: Backend, text: str
) -> None:
    tokenizer = backend.tokenizer
    tokens = tokenizer.tokenize(text)
    assert b"".join(map(tokenizer.piece, tokens)).decode() == text
    assert tokenizer.hidden_tokens.isdisjoint(tokens)


def test_control_tokens_come_from_text_only_when_asked(backend: Backend) -> None:
    tokenizer = backend.tokenizer
    assert tokenizer.control_tokens
    for spelling, token in tokenizer.control_tokens.items():
        assert token not in tokenizer.tokenize(f"a {spelling} b")
        assert tokenizer.tokenize(spelling, has_control_tokens=True) == [token]
        assert tokenizer.piece(token).decode() == spelling


def test_the_tokens_that_end_an_answer_are_hidden_control_tokens(backend: Backend) -> None:
    tokenizer = backend.tokenizer
    assert tokenizer.ends_answer
    assert tokenizer.ends_answer <= tokenizer.hidden_tokens
    assert tokenizer.hidden_tokens <= set(tokenizer.control_tokens.values())


def test_an_id_outside_the_vocabulary_is_refused(backend: Backend) -> None:
    for token in (-1, backend.tokenizer.vocabulary_size, 2**31):
        with pytest.raises(UsageError):
            backend.tokenizer.piece(token)


# ── decoding ────────────────────────────────────────────────────────────────────────────────


def test_a_row_must_go_on_where_its_slot_ends(backend: Backend) -> None:
    tokens = ids(backend, STORY, 10)
    read(backend, 0, tokens)
    for rows in ([Row(0, tokens, 3, True)], [Row(1, tokens, 0, False), Row(0, tokens, 11, True)]):
        with pytest.raises(ValueError, match="holds"):
            backend.decode(rows)
    read(backend, 0, tokens, 10)
    read(backend, 1, tokens)


def test_a_call_with_too_many_tokens_is_refused(backend: Backend) -> None:
    tokens = long_ids(backend, backend.max_rows + 1)
    with pytest.raises(ValueError, match="at most"):
        backend.decode([Row(0, tokens, 0, True)])
    read(backend, 0, tokens[:10])


def test_several_slots_in_one_call_write_what_they_write_alone(backend: Backend) -> None:
    prompts = [ids(backend, text) for text in ("1, 2, 3, 4,", "def main():", STORY)]
    alone = []
    for prompt in prompts:
        backend.trim(0, 0)
        read(backend, 0, prompt)
        alone.append(backend.log_probabilities(0))
    backend.trim(0, 0)
    rows = [Row(slot, prompt, 0, True) for slot, prompt in enumerate(prompts)]
    assert backend.decode(rows) is DecodeResult.DECODED
    for row, expected in enumerate(alone):
        together = backend.log_probabilities(row)
        assert_close(together, expected)


def test_several_rows_of_one_slot_in_one_call_go_on_after_each_other(backend: Backend) -> None:
    prompt = ids(backend, STORY, 24)
    rows = [Row(0, prompt[:20], 0, True), Row(1, prompt[:4], 0, True)]
    rows += [Row(0, [token], 20 + at, True) for at, token in enumerate(prompt[20:])]
    assert backend.decode(rows) is DecodeResult.DECODED
    in_rows = {0: 20, 1: 4, 2: 21, 3: 22, 4: 23, 5: 24}
    together = {row: backend.log_probabilities(row) for row in in_rows}
    for row, length in in_rows.items():
        backend.trim(2, 0)
        read(backend, 2, prompt[:length])
        assert_close(together[row], backend.log_probabilities(0))


def test_a_prompt_in_chunks_gives_the_logits_of_the_whole(backend: Backend) -> None:
    prompt = long_ids(backend, 150)
    read(backend, 0, prompt)
    whole = backend.log_probabilities(0)
    for at in range(0, 150, 37):
        read(backend, 1, prompt[at : at + 37], at)
    chunked = backend.log_probabilities(0)
    assert_close(chunked, whole)


def test_log_probabilities_are_a_distribution(backend: Backend) -> None:
    read(backend, 0, ids(backend, STORY, 12))
    values = backend.log_probabilities(0)
    assert values.shape == (backend.tokenizer.vocabulary_size,)
    assert values.max() <= 0
    assert numpy.exp(values.astype(numpy.float64)).sum() == pytest.approx(1, abs=1e-4)


# ── slots ───────────────────────────────────────────────────────────────────────────────────


def test_a_trimmed_slot_goes_on_like_a_fresh_one(backend: Backend) -> None:
    prompt, other = long_ids(backend, 60), ids(backend, "import os\n" * 10, 30)
    read(backend, 0, prompt)
    backend.trim(0, 20)
    read(backend, 0, other[:-1], 20)
    assert go_on(backend, 0, prompt[:20] + other) == fresh(backend, 1, prompt[:20] + other)


def test_trimming_to_more_than_a_slot_holds_changes_nothing(backend: Backend) -> None:
    prompt = long_ids(backend, 30)
    read(backend, 0, prompt[:-1])
    backend.trim(0, 500)
    assert go_on(backend, 0, prompt) == fresh(backend, 1, prompt)


def test_a_copy_goes_on_like_its_source_and_apart_from_it(backend: Backend) -> None:
    prompt = long_ids(backend, 40)
    read(backend, 0, prompt[:-1])
    read(backend, 1, ids(backend, "something else", 3))
    backend.copy(0, 1)
    assert go_on(backend, 1, prompt) == go_on(backend, 0, prompt)
    backend.trim(0, 0)
    backend.trim(1, len(prompt) - 1)
    read(backend, 1, prompt[-1:], len(prompt) - 1)
    after_copy = backend.log_probabilities(0).copy()
    read(backend, 2, prompt)
    assert_close(after_copy, backend.log_probabilities(0))


def test_a_state_goes_on_in_another_slot(backend: Backend) -> None:
    prompt = long_ids(backend, 80)
    read(backend, 0, prompt[:-1])
    state = backend.export_state(0)
    expected = go_on(backend, 0, prompt)
    backend.trim(0, 0)
    read(backend, 1, ids(backend, "what it held is forgotten"))
    assert backend.import_state(1, state)
    assert go_on(backend, 1, prompt) == expected


def test_a_state_finds_room_beside_what_other_slots_hold(
    spec: ModelSpec,
) -> None:
    backend = open_one(replace(spec, window=1024))
    try:
        prompt = long_ids(backend, 400)
        read(backend, 0, prompt[:-1])
        state = backend.export_state(0)
        for slot in range(1, 4):  # more than the context holds by now
            assert backend.import_state(slot, state)
        expected = go_on(backend, 0, prompt, 4)
        assert [go_on(backend, slot, prompt, 4) for slot in range(1, 4)] == [expected] * 3
    finally:
        backend.close()


def test_a_damaged_state_is_refused_and_harms_nobody(backend: Backend) -> None:
    prompt = long_ids(backend, 60)
    read(backend, 0, prompt[:-1])
    state = backend.export_state(0)
    expected = fresh(backend, 2, prompt)
    junk = [b"", b"junk", bytes(len(state)), state[:7], state[: len(state) // 2], state[:-1]]
    for damaged in junk:
        read(backend, 1, prompt[:5])
        assert not backend.import_state(1, damaged)
        read(backend, 1, prompt[:5])  # it is empty
        backend.trim(1, 0)
    assert go_on(backend, 0, prompt) == expected
    assert backend.import_state(1, state)
    assert go_on(backend, 1, prompt) == expected


# ── interrupting ────────────────────────────────────────────────────────────────────────────


def interrupt_after(backend: Backend, seconds: float) -> threading.Thread:
    def wait_and_interrupt() -> None:
        time.sleep(seconds)
        backend.interrupt()

    thread = threading.Thread(target=wait_and_interrupt)
    thread.start()
    return thread


def test_an_interrupt_takes_back_a_long_call(backend: Backend) -> None:
    prompt, more = long_ids(backend, 40), long_ids(backend, backend.max_rows - 20)
    expected = [fresh(backend, 0, prompt), fresh(backend, 1, prompt[:20])]
    backend.trim(0, len(prompt) - 1)
    backend.trim(1, 19)
    rows = [Row(0, prompt[-1:], len(prompt) - 1, True), Row(1, prompt[19:20], 19, True)]
    rows.append(Row(2, more, 0, True))
    thread = interrupt_after(backend, 0.05)
    started = time.monotonic()
    result = backend.decode(rows)
    seconds = time.monotonic() - started
    thread.join()
    assert result is DecodeResult.INTERRUPTED
    assert seconds < 1.0
    assert go_on(backend, 0, prompt) == expected[0]
    assert go_on(backend, 1, prompt[:20]) == expected[1]
    read(backend, 2, more[:10])  # it is empty


def test_an_interrupt_while_writing_loses_nothing(backend: Backend) -> None:
    prompt = long_ids(backend, 30)
    started = time.monotonic()
    expected = fresh(backend, 0, prompt, 40)
    seconds = (time.monotonic() - started) / 40
    backend.trim(0, len(prompt) - 1)
    sampler = backend.new_sampler(GREEDY, 1)
    written: list[int] = []
    token, stop = prompt[-1], threading.Event()

    def disturb() -> None:
        while not stop.wait(2 * seconds):  # some tokens get through
            backend.interrupt()

    thread = threading.Thread(target=disturb)
    thread.start()
    interrupted = 0
    while len(written) < len(expected):
        row = Row(0, [token], len(prompt) - 1 + len(written), True)
        if backend.decode([row]) is DecodeResult.INTERRUPTED:
            interrupted += 1
            continue
        token = backend.sample(0, sampler)
        written.append(token)
    stop.set()
    thread.join()
    sampler.close()
    backend.decode([Row(1, prompt[:1], 0, False)])  # takes the last interrupt, if there is one
    assert written == expected
    assert interrupted


def test_an_interrupt_before_a_call_stops_the_next_one_only(backend: Backend) -> None:
    prompt = long_ids(backend, 30)
    backend.interrupt()
    backend.interrupt()
    assert backend.decode([Row(0, prompt, 0, True)]) is DecodeResult.INTERRUPTED
    assert backend.decode([Row(0, prompt, 0, True)]) is DecodeResult.DECODED


def test_progress_grows_during_a_long_call(backend: Backend) -> None:
    read(backend, 0, long_ids(backend, 8))  # a backend may have to see one call first
    seen: list[float] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.01):
            seen.append(backend.progress())

    thread = threading.Thread(target=watch)
    thread.start()
    read(backend, 1, long_ids(backend, min(256, backend.max_rows)))
    during = list(seen)
    stop.set()
    thread.join()
    assert all(0 <= share <= 1 for share in seen)
    assert len({round(share, 2) for share in during if share}) >= 5
    rising = during[: during.index(max(during)) + 1]
    assert rising == sorted(rising)


# ── room ────────────────────────────────────────────────────────────────────────────────────


def test_the_context_grows_and_what_slots_hold_survives(
    spec: ModelSpec,
) -> None:
    backend = open_one(spec)
    try:
        prompt = long_ids(backend, 60)
        expected = fresh(backend, 0, prompt)
        backend.trim(0, len(prompt) - 1)
        backend.copy(0, 1)
        read(backend, 2, long_ids(backend, 450))
        assert go_on(backend, 0, prompt) == expected
        assert go_on(backend, 1, prompt) == expected
    finally:
        backend.close()


def test_a_call_without_room_changes_nothing(spec: ModelSpec) -> None:
    backend = open_one(replace(spec, window=64))
    try:
        prompt = long_ids(backend, 64)
        read(backend, 1, prompt)
        for slot in range(2, backend.slots):
            backend.copy(1, slot)
        read(backend, 0, prompt[:40])
        full = [Row(0, prompt[40:] * 8, 40, True)]  # more than slots × window
        assert backend.decode(full) is DecodeResult.NO_ROOM
        assert go_on(backend, 0, prompt[:41], 4) == go_on_after_trim(backend, prompt[:41])
    finally:
        backend.close()


def go_on_after_trim(backend: Backend, prompt: Sequence[int]) -> list[int]:
    backend.trim(1, len(prompt) - 1)
    return go_on(backend, 1, prompt, 4)


# ── sampling ────────────────────────────────────────────────────────────────────────────────


def test_temperature_zero_takes_the_most_probable_token(backend: Backend) -> None:
    read(backend, 0, ids(backend, STORY))
    sampler = backend.new_sampler(GREEDY, 1)
    assert backend.sample(0, sampler) == backend.log_probabilities(0).argmax()
    sampler.close()


def drawn(backend: Backend, options: SamplingOptions, seed: int, grammar: str = "") -> list[int]:
    prompt = ids(backend, "The keeper of the light said")
    backend.trim(0, 0)
    read(backend, 0, prompt)
    return write(backend, 0, len(prompt), 12, options, seed, grammar)


@pytest.mark.parametrize("seed", [0, 42, 2**32 - 1])
def test_a_seed_decides_what_is_drawn(backend: Backend, seed: int) -> None:
    first = drawn(backend, WARM, seed)
    assert drawn(backend, WARM, seed) == first
    assert drawn(backend, WARM, 12345) != first


def test_a_grammar_allows_nothing_else(backend: Backend) -> None:
    if not backend.info.abilities.grammar:
        with pytest.raises(UsageError, match="grammar"):
            backend.new_sampler(WARM, 1, YES_OR_NO)
        return
    answers = set()
    for seed in range(6):
        *tokens, end = drawn(backend, WARM, seed, YES_OR_NO)
        assert end in backend.tokenizer.ends_answer
        answers.add(b"".join(map(backend.tokenizer.piece, tokens)))
    assert answers <= {b"yes", b"no"}


@pytest.mark.parametrize("grammar", ["root ::= (", 'leaf ::= "a"', "root ::= missing"])
def test_a_grammar_that_does_not_parse_is_refused(backend: Backend, grammar: str) -> None:
    with pytest.raises(UsageError, match="grammar"):
        backend.new_sampler(GREEDY, 1, grammar)


def test_a_repeat_penalty_changes_what_is_written(backend: Backend) -> None:
    penalised = SamplingOptions(temperature=0.0, repeat_penalty=2.0)
    prompt = ids(backend, "la la la la la la la la la la")
    texts = []
    for options in (GREEDY, penalised):
        backend.trim(0, 0)
        read(backend, 0, prompt)
        texts.append(write(backend, 0, len(prompt), 12, options))
    assert texts[0] != texts[1]
    assert len(set(texts[1])) > len(set(texts[0]))


def test_closing_twice_is_safe(spec: ModelSpec) -> None:
    backend = open_one(spec)
    sampler = backend.new_sampler(GREEDY, 1)
    sampler.close()
    sampler.close()
    backend.close()
    backend.close()
