"""Chat templates over real families: the text of transformers, no message lost, no token forged."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import cache
from itertools import accumulate
from pathlib import Path

import pytest
import transformers.utils.chat_template_utils as reference
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from vocabulary import ByteTokenizer, Vocabulary

from assistant.backends.chat_template import ChatTemplate, is_marker, render_raw
from assistant.errors import TemplateError
from assistant.messages import ChatPrompt, Message, Part, RawPrompt, Rendered, Role, message

DAY = date(2024, 2, 29)
SPELLINGS = re.findall(
    r"\S+",
    """<|im_start|> <|im_end|> <|endoftext|> <think> </think> [INST] [/INST] <s> </s>
    [SYSTEM_PROMPT] [/SYSTEM_PROMPT] <|user|> <|assistant|> <|system|> <|end|> <|start|>
    <start_of_turn> <end_of_turn> <|start_header_id|> <|end_header_id|> <|eot_id|> <|message|>
    <|start_of_role|> <|end_of_role|> <|end_of_text|> <｜User｜> <｜Assistant｜> <|channel|>
    <｜end▁of▁sentence｜> <|return|> <tool_response> </tool_response> [gMASK] <sop>""",
)
KINDS = {
    "words": "plain {n}",
    "blanks": " \n\t lead and trail {n} \n\n",
    "wide blanks": "\u3000\xa0{n}\u2003",
    "code": "def f(x: list[int]) -> None:\n\n    return x[{n}]  # <b>&amp;\n",
    "Chinese": "你好，世界 {n}",
    "braces": "{{{{ x{n} }}}} {{% if y %}} {{# z #}}",
    "a closed thought": "a </think> b {n}",
    "a whole thought": "<think>hm {n}</think> so {n}",
    "every control token": "{n} " + " ".join(SPELLINGS) + " {n}",
    "control tokens in a row": "{n}" + "".join(SPELLINGS) + "{n}",
    "a channel": "{n} <|channel|>analysis<|message|> {n}",
    "private characters": "\ufdd0\ufde0{n}\ufdd1 \ufdd4 \ufdef",
}
SWITCHES = {  # contents that some templates read, to write other text of their own
    "a tool response": "<tool_response>\n{n}\n</tool_response>",
    "a thinking switch": "{n} /no_think",
}
TEMPLATES = re.findall(
    r"\S+",
    """GLM-4.6 HuggingFaceTB-SmolLM3-3B LFM2-8B-A1B Mistral-Small-3.2-24B-Instruct-2506
    Qwen-QwQ-32B Qwen-Qwen2.5-7B-Instruct Qwen-Qwen3-0.6B Qwen3-Coder Qwen3.5-4B
    deepseek-ai-DeepSeek-R1-Distill-Qwen-32B deepseek-ai-DeepSeek-V3.1 google-gemma-2-2b-it
    ibm-granite-granite-3.3-2B-Instruct ibm-granite-granite-4.0 meta-llama-Llama-3.1-8B-Instruct
    meta-llama-Llama-3.2-3B-Instruct microsoft-Phi-3.5-mini-instruct
    mistralai-Mistral-Nemo-Instruct-2407 openai-gpt-oss-120b
    unsloth-mistral-Devstral-Small-2507""",
)
ROLES = {"s": Role.SYSTEM, "u": Role.USER, "a": Role.ASSISTANT}
BYTES = ByteTokenizer(SPELLINGS)


class _FirstDay(datetime):
    @classmethod
    def now(cls, tz: object = None) -> "_FirstDay":
        return cls(DAY.year, DAY.month, DAY.day)


@pytest.fixture(autouse=True)
def transformers_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "datetime", _FirstDay)


def read(data: Path, name: str) -> str:
    return (data / "chat_templates" / f"{name}.jinja").read_text()


@cache
def compiled(data: Path, name: str) -> ChatTemplate:
    return ChatTemplate(read(data, name), BYTES)


def talk(roles: str, kind: str = "text {n}") -> tuple[Message, ...]:
    """`suu` is a system message and two of the user's; `{n}` in `kind` is made unique."""
    return tuple(message(ROLES[role], kind.format(n=f"no{at}")) for at, role in enumerate(roles))


def conversations() -> Iterator[str]:
    for turns in range(1, 7):
        yield ("ua" * 3)[:turns]
        yield "s" + ("ua" * 3)[:turns]


def transformers_text(source: str, messages: Sequence[Message]) -> str | None:
    """What transformers writes, or None when it refuses or does not keep every message."""
    dicts = [{"role": m.role.value, "content": m.text} for m in messages]
    try:
        [text], _ = reference.render_jinja_template(
            [dicts], chat_template=source, add_generation_prompt=True, **BYTES.special_texts
        )
    except Exception:
        return None
    return text if keeps(text, messages) else None


def keeps(text: str, messages: Sequence[Message]) -> bool:
    at = 0
    for part in messages:
        body = part.text.strip()
        start = text.find(body, 0 if part.role is Role.SYSTEM else at)
        if start < 0:
            return False
        at = at if part.role is Role.SYSTEM else start + len(body)
    return True


def clean(messages: Sequence[Message]) -> tuple[Message, ...]:
    return tuple(message(m.role, re.sub("[\ufdd0-\ufdef]", "", m.text)) for m in messages)


def controls(rendered: Rendered) -> list[int]:
    return [span.control_token for span in rendered.spans if span.control_token is not None]


def check_counts(rendered: Rendered) -> None:
    """The counts and their order add up, and so do the cached tokens of any beginning."""
    tokens = len(rendered.token_ids)
    assert sum(part.tokens for part in rendered.parts) == tokens
    assert all(part.tokens >= 0 for part in rendered.parts)
    by_order = Counter[int]()
    for row in rendered.order:
        by_order[row.part] += row.tokens
    assert dict(by_order) == {n: p.tokens for n, p in enumerate(rendered.parts) if p.tokens}
    for cached in {0, 1, tokens // 3, tokens // 2, tokens - 2, tokens} & {*range(tokens + 1)}:
        parts = rendered.parts_with_cached(cached)
        assert sum(part.cached for part in parts) == cached
        assert all(0 <= part.cached <= part.tokens for part in parts)
        assert [replace(part, cached=0) for part in parts] == list(rendered.parts)


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_text_is_that_of_transformers_whenever_it_keeps_every_message(
    shared_data: Path, name: str
) -> None:
    source = read(shared_data, name)
    template = ChatTemplate(source, BYTES)
    kept = 0
    for kind in [*KINDS.values(), *SWITCHES.values()]:
        for roles in conversations():
            messages = clean(talk(roles, kind))
            wanted = transformers_text(source, messages)
            if wanted is not None:
                kept += 1
                assert template.render(ChatPrompt(messages, DAY)).text == wanted
    assert kept > 70


@pytest.mark.parametrize("name", TEMPLATES)
def test_no_message_is_lost_and_no_text_becomes_a_control_token(
    shared_data: Path, name: str
) -> None:
    template = compiled(shared_data, name)
    for roles in conversations():
        expected = controls(template.render(ChatPrompt(talk(roles, "x"), DAY)))
        for kind in KINDS.values():
            messages = talk(roles, kind)
            rendered = template.render(ChatPrompt(messages, DAY))
            assert keeps(rendered.text, clean(messages))
            assert controls(rendered) == expected
            assert [token for token in rendered.token_ids if token >= 256] == expected
            assert b"".join(map(BYTES.piece, rendered.token_ids)) == rendered.text.encode()
            check_counts(rendered)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_family_takes_a_spelling_for_its_token(shared_data: Path, spelling: str) -> None:
    for name in TEMPLATES:
        template = compiled(shared_data, name)
        expected = controls(template.render(ChatPrompt(talk("uau", "x"), DAY)))
        rendered = template.render(ChatPrompt(talk("uau", f"{spelling} {{n}}{spelling}"), DAY))
        assert [token for token in rendered.token_ids if token >= 256] == expected


# What each template takes otherwise than as it is: "0+1" are joined, "0>1" is refused.
AS_IT_IS = dict.fromkeys(["su", "uasu", "uas", "s", "uu", "uaau", "aua", "ssu", "suu"], "")
ALTERNATES = {"uasu": "2+3", "uas": "0+2", "uu": "0+1", "uaau": "1+2", "aua": "no 1"}
OUTCOMES: dict[str, dict[str, str]] = dict.fromkeys(TEMPLATES, AS_IT_IS) | {
    "HuggingFaceTB-SmolLM3-3B": AS_IT_IS | {"uasu": "2+3", "uas": "0+2", "ssu": "0+1"},
    "openai-gpt-oss-120b": AS_IT_IS | {"uasu": "2+3", "uas": "0+2", "ssu": "0+1"},
    "deepseek-ai-DeepSeek-V3.1": AS_IT_IS | {"ssu": "0+1"},  # it joins them by itself
    "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B": AS_IT_IS | {"ssu": "0+1"},
    "Qwen3.5-4B": AS_IT_IS | {"uasu": "2+3", "uas": "0+2", "s": "no 1", "ssu": "0+1"},
    "Mistral-Small-3.2-24B-Instruct-2506": AS_IT_IS | ALTERNATES | {"ssu": "0+1", "suu": "1+2"},
    "mistralai-Mistral-Nemo-Instruct-2407": AS_IT_IS  # it joins system and user by itself
    | ALTERNATES
    | {"su": "0+1", "s": "no 1", "ssu": "0+1,1+2", "suu": "0+1,1+2"},
    "google-gemma-2-2b-it": AS_IT_IS
    | ALTERNATES
    | {"su": "0+1", "s": "no 1", "ssu": "0+1,1+2", "suu": "0+1,1+2"},
}


def outcome(template: ChatTemplate, roles: str) -> str:
    messages = talk(roles)
    try:
        text = template.render(ChatPrompt(messages, DAY)).text
    except TemplateError as err:
        found = re.search(r"message (\d+) \((\w+)\)", err.message)
        assert found is not None
        assert found[2] == messages[int(found[1]) - 1].role.value
        return f"no {found[1]}"
    assert all(text.count(m.text) == 1 for m in messages)
    pairs = [(a, b) for a in range(len(roles)) for b in range(a + 1, len(roles))]
    return ",".join(f"{a}+{b}" for a, b in pairs if f"text no{a}\n\ntext no{b}" in text)


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_a_template_refuses_or_drops_is_joined_folded_or_told(
    shared_data: Path, name: str
) -> None:
    template = compiled(shared_data, name)
    assert {roles: outcome(template, roles) for roles in AS_IT_IS} == OUTCOMES[name]


def test_a_refusal_quotes_the_template_and_a_drop_says_so(shared_data: Path) -> None:
    for name, roles, words in (
        ("google-gemma-2-2b-it", "s", r"message 1 \(system\): System role not supported"),
        ("google-gemma-2-2b-it", "aua", r"message 1 \(assistant\): Conversation roles must"),
        ("Qwen3.5-4B", "s", "No user query found in messages."),
        ("mistralai-Mistral-Nemo-Instruct-2407", "s", r"drops or changes message 1 \(system\)"),
    ):
        template = compiled(shared_data, name)
        with pytest.raises(TemplateError, match=words):
            template.render(ChatPrompt(talk(roles), DAY))


HOSTILE = {
    "drops": "{% for m in messages[1:] %}{{ m.content }}{% endfor %}",
    "repeats": "{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}",
    "reorders": "{% for m in messages[::-1] %}{{ m.content }}{% endfor %}",
    "shouts": "{% for m in messages %}{{ m.content|upper }}{% endfor %}",
    "cuts": "{% for m in messages %}{{ m.content[:8] }}{% endfor %}",
    "copies a word": "{% for m in messages %}{{ m.content }}{% endfor %}"
    "{{ messages[0].content.split('<')[0] }}",
    "forges": "{% for m in messages %}{{ m.content }}{% endfor %}{{ '\ufdd0\ufde9x\ufdd1' }}",
    "is endless": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "is too much": "{{ 'a' * 900000000 }}",
    "is wrong": "{{ messages[0].content.nothing.there }}",
    "does not end": "{{ messages[0]",
    "says much": "{{ raise_exception('\x1b[2J\n' ~ 'long ' * 999) }}",
}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_bad_template_is_one_line_of_error(source: str) -> None:
    with pytest.raises(TemplateError) as caught:
        ChatTemplate(source, BYTES).render(ChatPrompt(talk("uau"), DAY))
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 300


def test_a_copied_control_token_stays_text() -> None:
    source = (
        "{% for m in messages %}{{ m.content }}{% endfor %}{{ messages[0].content.split()[1] }}"
    )
    rendered = ChatTemplate(source, BYTES).render(ChatPrompt(talk("u", "a <s> {n}"), DAY))
    assert rendered.text == "a <s> no0<s>"
    assert controls(rendered) == []
    assert max(rendered.token_ids) < 256


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("meta-llama-Llama-3.2-3B-Instruct", "Today Date: 29 Feb 2024"),
        ("openai-gpt-oss-120b", "Current date: 2024-02-29"),
        ("Mistral-Small-3.2-24B-Instruct-2506", "The current date is 2024-02-29"),
        ("ibm-granite-granite-3.3-2B-Instruct", "Today's Date: February 29, 2024"),
    ],
)
def test_the_clock_stands_at_the_first_day(shared_data: Path, name: str, words: str) -> None:
    template = compiled(shared_data, name)
    assert words in template.render(ChatPrompt(talk("u"), DAY)).text


def test_reasoning_is_a_field_that_a_template_may_leave_out(shared_data: Path) -> None:
    thought = "\n <s>why</think> \n"
    messages = (*talk("u"), Message(Role.ASSISTANT, (Part("so", "a"),), reasoning=thought))
    for name in TEMPLATES:
        rendered = compiled(shared_data, name).render(ChatPrompt(messages, DAY))
        plain = compiled(shared_data, name).render(
            ChatPrompt((*talk("u"), message(Role.ASSISTANT, "so")), DAY)
        )
        assert controls(rendered) in (controls(plain), [*controls(plain)])
        check_counts(rendered)
    [count] = [
        part.tokens
        for part in compiled(shared_data, "Qwen3.5-4B").render(ChatPrompt(messages, DAY)).parts
        if part.source == "reasoning"
    ]
    assert count == len("<s>why</think>")


def test_tokens_are_counted_for_the_part_they_come_from(shared_data: Path) -> None:
    parts = (Part(" \nHow ", "question"), Part("", "empty.py"), Part("你好<s>\n", "a.py"))
    template = compiled(shared_data, "Qwen-Qwen2.5-7B-Instruct")
    rendered = template.render(ChatPrompt((Message(Role.USER, parts),), DAY))
    counts = {part.source: part.tokens for part in rendered.parts}
    assert (counts["question"], counts["empty.py"], counts["a.py"]) == (6, 0, 10)
    check_counts(rendered)


@pytest.mark.parametrize("name", TEMPLATES)
def test_cached_tokens_are_those_of_the_parts_in_the_beginning(
    shared_data: Path, name: str
) -> None:
    texts = [chr(0xE000 + number) * 5 for number in range(6)]
    messages = tuple(
        Message(role, tuple(Part(text, text) for text in texts[at : at + 2]))
        for role, at in ((Role.USER, 0), (Role.ASSISTANT, 2), (Role.USER, 4))
    )
    rendered = compiled(shared_data, name).render(ChatPrompt(messages, DAY))
    whole = rendered.text.encode()
    places = {text: whole.index(text.encode()) for text in texts}
    starts = list(accumulate((len(BYTES.piece(t)) for t in rendered.token_ids), initial=0))[:-1]
    for cached in range(len(starts) + 1):
        parts = rendered.parts_with_cached(cached)
        found = {part.source: part.cached for part in parts if part.source in places}
        assert found == {
            text: sum(place <= start < place + len(text.encode()) for start in starts[:cached])
            for text, place in places.items()
        }
        assert sum(part.cached for part in parts) == cached


FAMILIES = {
    "qwen2": ("Qwen-Qwen2.5-7B-Instruct",),
    "qwen35": ("Qwen3.5-4B",),
    "llama-bpe": ("meta-llama-Llama-3.1-8B-Instruct", "meta-llama-Llama-3.2-3B-Instruct"),
    "phi-3": ("microsoft-Phi-3.5-mini-instruct",),
    "deepseek-coder": ("deepseek-ai-DeepSeek-V3.1",),
}
_opened: dict[str, Vocabulary] = {}


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest, shared_data: Path) -> tuple[Vocabulary, list[str]]:
    name = request.param
    if name not in _opened:
        path = shared_data / "vocabularies" / f"ggml-vocab-{name}.gguf"
        bos = {"llama-bpe": "<|begin_of_text|>", "deepseek-coder": "<｜begin▁of▁sentence｜>"}
        _opened[name] = Vocabulary(path, bos.get(name, ""))
    return _opened[name], [read(shared_data, template) for template in FAMILIES[name]]


Family = tuple[Vocabulary, list[str]]


def test_ids_are_those_of_one_call_when_no_message_spells_a_control_token(family: Family) -> None:
    vocabulary, sources = family
    for source in sources:
        template = ChatTemplate(source, vocabulary)
        for kind in ("words", "blanks", "code", "Chinese", "braces", "wide blanks"):
            for roles in conversations():
                rendered = template.render(ChatPrompt(talk(roles, KINDS[kind]), DAY))
                one_call = vocabulary.tokenize(rendered.text, has_control_tokens=True)
                assert list(rendered.token_ids) == one_call
                check_counts(rendered)


def test_real_tokenizers_keep_every_spelling_text(family: Family) -> None:
    vocabulary, sources = family
    spellings = [*list(vocabulary.control_tokens)[:16], *SPELLINGS]
    kinds = [f"{s} a{s}{{n}} {s}{s}" for s in spellings] + [KINDS["every control token"]]
    tokens = set(vocabulary.control_tokens.values())
    for source in sources:
        template = ChatTemplate(source, vocabulary)
        expected = controls(template.render(ChatPrompt(talk("suau", "x"), DAY)))
        for kind in kinds:
            messages = talk("suau", kind)
            rendered = template.render(ChatPrompt(messages, DAY))
            assert controls(rendered) == expected
            assert [token for token in rendered.token_ids if token in tokens] == expected
            spelt = b"".join(map(vocabulary.piece, rendered.token_ids)).decode()
            # SentencePiece writes its own blank, U+2581, for one.
            blank = [message(m.role, m.text.replace("▁", " ")) for m in messages]
            assert keeps(spelt.replace("▁", " "), blank)
            check_counts(rendered)


def test_splitting_at_control_tokens_changes_no_other_id(family: Family) -> None:
    vocabulary, sources = family
    template = ChatTemplate(sources[0], vocabulary)
    forged = next(iter(vocabulary.control_tokens))
    for kind in KINDS["words"], KINDS["code"], KINDS["Chinese"]:
        one_call, split = (
            template.render(ChatPrompt((*talk("ua", kind), message(Role.USER, last)), DAY))
            for last in ("x", forged)
        )
        pairs = zip(runs(vocabulary, one_call), runs(vocabulary, split), strict=True)
        assert sum(before != after for before, after in pairs) == 1


def runs(vocabulary: Vocabulary, rendered: Rendered) -> list[list[int]]:
    """The ids between control tokens."""
    found: list[list[int]] = [[]]
    for token in rendered.token_ids:
        if token in vocabulary.control_tokens.values():
            found.append([])
        else:
            found[-1].append(token)
    return found


def answered(vocabulary: Vocabulary, fingerprint: str = "mine", more: str = "") -> Message:
    """An answer whose ids spell its text (without `more`) otherwise than the tokenizer would."""
    ids = tuple(token for letter in "Hello, world" for token in vocabulary.tokenize(letter))
    text = b"".join(map(vocabulary.piece, ids)).decode() + more
    return Message(Role.ASSISTANT, (Part(text, "answer"),), "", ids, fingerprint)


def test_a_past_answer_keeps_its_own_tokens(family: Family) -> None:
    vocabulary, sources = family
    template = ChatTemplate(sources[0], vocabulary, "mine")
    answer = answered(vocabulary)
    rendered = template.render(ChatPrompt((*talk("u"), answer, *talk("u")), DAY))
    size = len(answer.token_ids)
    starts = range(len(rendered.token_ids) - size)
    assert [rendered.token_ids[at : at + size] for at in starts].count(answer.token_ids) == 1
    assert answer.text in rendered.text
    check_counts(rendered)
    for other in (answered(vocabulary, "another"), answered(vocabulary, more="!")):
        fresh = template.render(ChatPrompt((*talk("u"), other, *talk("u")), DAY))
        assert list(fresh.token_ids) == vocabulary.tokenize(fresh.text, has_control_tokens=True)


def test_an_answer_with_a_control_token_among_its_ids_is_read_as_text() -> None:
    ids = (*b"a ", BYTES.control_tokens["<s>"])
    answer = Message(Role.ASSISTANT, (Part("a <s>", "a"),), "", ids, "mine")
    source = "{% for m in messages %}{{ m.content }}{% endfor %}"
    rendered = ChatTemplate(source, BYTES, "mine").render(ChatPrompt((answer,), DAY))
    assert rendered.token_ids == tuple(b"a <s>")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Role),
            st.lists(st.sampled_from([*SPELLINGS, *" \n<|>{}%", "\ufdd0", "é", "x"]), max_size=9),
        ),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=150, deadline=None)
def test_any_conversation_is_kept_whole_or_refused(
    shared_data: Path, drawn: list[tuple[Role, list[str]]]
) -> None:
    messages = [message(role, "".join(pieces)) for role, pieces in drawn]
    for name in ("Qwen3.5-4B", "google-gemma-2-2b-it", "mistralai-Mistral-Nemo-Instruct-2407"):
        template = compiled(shared_data, name)
        try:
            rendered = template.render(ChatPrompt(tuple(messages), DAY))
        except TemplateError:
            continue
        cleaned = clean(messages)
        assert all(m.text.strip() in rendered.text for m in cleaned)
        tokens = [token for token in rendered.token_ids if token >= 256]
        assert tokens == controls(rendered)
        assert b"".join(map(BYTES.piece, rendered.token_ids)) == rendered.text.encode()
        check_counts(rendered)


def test_a_raw_prompt_has_control_tokens_only_when_it_says_so() -> None:
    text = "<s>a</s> <think>"
    marked = render_raw(RawPrompt(text, has_control_tokens=True), BYTES)
    assert controls(marked) == [BYTES.control_tokens[s] for s in ("<s>", "</s>", "<think>")]
    plain = render_raw(RawPrompt(text), BYTES)
    assert plain.token_ids == tuple(text.encode())
    ids = render_raw(RawPrompt(token_ids=marked.token_ids), BYTES)
    assert (ids.text, ids.spans, ids.token_ids) == (text, marked.spans, marked.token_ids)
    assert render_raw(RawPrompt(""), BYTES).token_ids == ()
    check_counts(plain)


@pytest.mark.parametrize(
    "spelling",
    ["<think>", "</think>", "<|im_end|>", "<｜fim▁hole｜>", "[INST]", "<tool_call>", "<s>", "</s>"],
)
def test_a_marker_steers(spelling: str) -> None:
    assert is_marker(spelling)


@pytest.mark.parametrize("spelling", ["", "  ", "\n\n", "<table>", "</h1>", "<>", "[]", "a", "<|>"])
def test_text_is_no_marker(spelling: str) -> None:
    assert not is_marker(spelling)
