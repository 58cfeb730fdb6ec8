"""The engine that asks a server: addresses and keys, the stream's form, and every kind of fault.

The server is scripted here; test_remote_peer.py asks a real one.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import SCALE
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from remote_server import Script, Step, delta, events, models, reply, serving

from assistant.backends.base import SamplingOptions
from assistant.config import Settings
from assistant.engine.base import GenerationRequest
from assistant.engine.remote import RemoteEngine, estimate_tokens
from assistant.engine.remote_spec import RemoteSpec, Secret, read_remote_spec
from assistant.engine.remote_wire import FRAME_BYTES, EventParser, WireError
from assistant.errors import (
    AssistantError,
    EngineBusy,
    EngineFailed,
    EngineUnreachable,
    ModelError,
    PromptTooLong,
    UsageError,
)
from assistant.events import Finished, ModelLoading, Reason, ReasoningChunk, TextChunk
from assistant.messages import ChatPrompt, Message, Part, RawPrompt, Role, message
from assistant.startup import choose_model, open_engine

KEY = "sk-do-not-show-me"
ASKED = GenerationRequest(
    ChatPrompt(
        (
            message(Role.SYSTEM, "Be brief."),
            Message(Role.USER, (Part("Why? ", "question"), Part("x = 1", "a.py"))),
        ),
        date(2026, 1, 1),
    ),
    max_new_tokens=32,
    seed=7,
)
ONE_MODEL = models("tiny", max_model_len=4096)
HELLO = events(delta("Hello"), delta(" you", "stop"), "[DONE]")


@contextmanager
def asking(
    *answer: Step, listed: tuple[bytes, ...] = ONE_MODEL, is_cut: bool = False, **more: object
) -> Iterator[tuple[RemoteEngine, Script]]:
    """An engine that has found its model; `more` are fields of its `RemoteSpec`."""
    script = Script({"/chat/completions": answer, "/completions": answer, "/models": listed})
    script.is_cut = is_cut
    with serving(script):
        engine = RemoteEngine(replace(RemoteSpec(script.url), **more))
        try:
            list(engine.load())
            yield engine, script
        finally:
            engine.close()


def finished(engine: RemoteEngine, request: GenerationRequest = ASKED) -> Finished:
    got = list(engine.stream(request))
    assert [isinstance(event, Finished) for event in got] == [False] * (len(got) - 1) + [True]
    assert isinstance(got[-1], Finished)
    return got[-1]


def refusal(*answer: Step, key: str = "") -> AssistantError:
    api_key = Secret(key) if key else None
    with (
        asking(*answer, api_key=api_key) as (engine, _),
        pytest.raises(AssistantError) as caught,
    ):
        engine.stream(ASKED)
    return caught.value


def said(error: AssistantError) -> str:
    return f"{error.message} ({error.hint})"


# ── addresses and keys ──────────────────────────────────────────────────────────────────────


def read(name: str, key: str = "", **more: object) -> RemoteSpec:
    environment = {"LLMCHAT_API_KEY": key} if key else {}
    return read_remote_spec(f"openai:{name}", environment=environment, **more)  # type: ignore[arg-type]  # fields by name


def test_an_address_is_a_url_and_perhaps_a_model() -> None:
    assert read("http://box:8000/v1/") == RemoteSpec("http://box:8000/v1")
    assert read("https://h.example/llm/v1#Qwen/Q:4") == RemoteSpec(
        "https://h.example/llm/v1", "Qwen/Q:4"
    )
    assert read("http://[::1]:80/v1", window=512).window == 512


@pytest.mark.parametrize(
    "name",
    [
        *("", "box:8000", "ftp://box/v1", "http://", "http:///v1", "http://box:0/v1"),
        *("http://box:99999/v1", "http://box/v1?a=b", "http://box/a b", "http://bo\nx/v1"),
        *("http://a\\b/v1", "http://bücher/v1", "http://[::1/v1", "http://b%6fx/v1"),
    ],
)
def test_what_is_no_address_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="needs the URL of a server"):
        read(name)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        read(f"https://me:{KEY}@h.example/v1")
    assert KEY not in said(caught.value)
    assert "LLMCHAT_API_KEY" in said(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        *("gpu-box", "127.0.0.1", "localhost", "10.1.2.3", "192.168.0.9:8000", "[fd00::1]"),
        *("llm.default.svc.cluster.local", "[::1]:8000", "172.31.0.1", "gpu.internal"),
    ],
)
def test_a_key_may_go_unencrypted_within_ones_own_network(host: str) -> None:
    assert read(f"http://{host}/v1", KEY).api_key == Secret(KEY)


@pytest.mark.parametrize(
    "host",
    [
        *("api.example.com", "8.8.8.8", "172.32.0.1", "134744072", "0x8080808", "[2606::1]"),
        *("[::ffff:8.8.8.8]", "api.example.com.", "100.64.0.1", "127.0.0.1.example.com"),
    ],
)
def test_a_key_never_goes_unencrypted_to_others(host: str) -> None:
    assert read(f"http://{host}/v1").api_key is None
    assert read(f"https://{host}/v1", KEY).api_key == Secret(KEY)
    with pytest.raises(UsageError, match="unencrypted") as caught:
        read(f"http://{host}/v1", KEY)
    assert KEY not in said(caught.value)


def test_a_key_comes_from_the_environment_or_else_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    file.chmod(0o600)
    assert read("http://box/v1", key_file=str(file)).api_key == Secret(KEY)
    assert read("http://box/v1", "other", key_file=str(file)).api_key == Secret("other")


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(mode)
    with pytest.raises(UsageError, match="others may read") as caught:
        read("http://box/v1", key_file=str(file))
    assert caught.value.hint == f"chmod 600 {file}"


@pytest.mark.parametrize("text", ["", "two words", "a\nb", "schlüssel", "a\x00b"])
def test_what_is_no_key_is_refused_and_not_shown(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key"
    file.write_text(text, "utf-8")
    file.chmod(0o600)
    with pytest.raises(UsageError, match="no API key looks like this") as caught:
        read("http://box/v1", key_file=str(file))
    assert text not in said(caught.value) or not text


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    for name in (str(tmp_path / "none"), str(tmp_path), "~nobody-of-this-name/key"):
        with pytest.raises(UsageError, match="api_key_file"):
            read("http://box/v1", key_file=name)


def test_a_key_is_in_no_repr() -> None:
    spec = read("http://box/v1", KEY)
    assert KEY not in f"{spec!r} {spec} {spec.api_key!r}"


def test_settings_choose_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMCHAT_API_KEY", KEY)
    chosen = Settings(model="openai:http://box/v1#tiny", window=100)
    assert choose_model(chosen) == RemoteSpec("http://box/v1", "tiny", Secret(KEY), 100)
    assert isinstance(open_engine(choose_model(chosen), chosen), RemoteEngine)
    with pytest.raises(ModelError) as caught:
        choose_model(Settings(model="http://box/v1"))
    assert "openai:" in caught.value.hint


# ── finding the model ───────────────────────────────────────────────────────────────────────


def test_the_only_model_is_taken_with_the_servers_window() -> None:
    with asking() as (engine, script):
        assert (engine.info.name, engine.info.window) == ("tiny", 4096)
        assert engine.kept is None
        assert "authorization" not in script.asked("/models").headers


def test_a_smaller_window_may_be_set_and_no_larger_one() -> None:
    for wanted, got in ((100, 100), (9999, 4096)):
        with asking(window=wanted) as (engine, _):
            assert engine.info.window == got


def test_of_several_models_one_has_to_be_named() -> None:
    two = models("small", "large", max_model_len=10)
    with pytest.raises(ModelError, match="2 models; it lists small, large") as caught:
        asking(listed=two).__enter__()
    assert caught.value.hint.endswith("#small")
    with pytest.raises(ModelError, match="has no model huge; it lists small, large"):
        asking(listed=two, model="huge").__enter__()
    with asking(listed=two, model="large") as (engine, _):
        assert engine.info.name == "large"


def test_a_server_without_a_list_is_believed_to_have_the_named_model() -> None:
    with asking(listed=reply("", "404 Not Found"), model="any") as (engine, _):
        assert engine.info.name == "any"


def test_llama_servers_own_window_counts() -> None:
    listed = models("gguf", meta={"n_ctx_train": 131072})
    props = reply(json.dumps({"default_generation_settings": {"n_ctx": 2048}}))
    with serving(Script({"/models": listed, "/props": props})) as script:
        engine = RemoteEngine(RemoteSpec(script.url))
        list(engine.load())
        assert engine.info.window == 2048
        assert script.asked("/props").path == "/props"
    with asking(listed=listed) as (engine, _):
        assert engine.info.window == 131072


def test_a_window_that_nobody_knows_is_assumed_and_said() -> None:
    with serving(Script({"/models": models("tiny")})) as script:
        engine = RemoteEngine(RemoteSpec(script.url))
        told = list(engine.load())
    assert engine.info.window == 8192
    last = told[-1]
    assert isinstance(last, ModelLoading)
    assert "8,192 tokens are assumed" in last.stage


def test_loading_that_is_given_up_ends_at_once() -> None:
    with serving(Script({"/models": (threading.Event(),)})) as script:
        engine = RemoteEngine(RemoteSpec(script.url))
        loading = engine.load()
        assert next(loading) == ModelLoading(f"asking {script.url[7:-3]}")
        loading.close()  # type: ignore[attr-defined]  # a generator
        with pytest.raises(EngineFailed, match="closed"):
            _ = engine.info


def test_without_httpx2_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "assistant.engine.remote_http", raising=False)
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with pytest.raises(UsageError) as caught:
        list(RemoteEngine(RemoteSpec("http://127.0.0.1:9/v1")).load())
    assert caught.value.hint == "pip install 'llmchat[remote]'"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1/v1", "nothing listens"),
        ("http://no-such-host.invalid/v1", "no host"),
    ],
)
def test_a_server_that_is_not_there_is_unreachable(url: str, words: str) -> None:
    with pytest.raises(EngineUnreachable, match=words):
        list(RemoteEngine(RemoteSpec(url)).load())


def test_tls_that_does_not_work_is_said() -> None:
    with serving(Script({"/models": ONE_MODEL})) as script:
        url = script.url.replace("http", "https")
        with pytest.raises(EngineUnreachable, match="does not speak TLS"):
            list(RemoteEngine(RemoteSpec(url)).load())


@pytest.mark.parametrize(
    ("listed", "words"),
    [
        (reply("<html>hi</html>", kind="text/html"), "no list of models"),
        (reply('{"data": [{"name": 1}]}'), "no list of models"),
        (reply('{"data": []}'), "lists no model"),
        (reply("", "404 Not Found"), "no server with OpenAI's API"),
    ],
)
def test_what_is_no_list_of_models_is_said(listed: tuple[bytes, ...], words: str) -> None:
    with pytest.raises((EngineUnreachable, ModelError), match=words):
        asking(listed=listed).__enter__()


# ── what is sent ────────────────────────────────────────────────────────────────────────────


def test_a_request_says_what_was_asked_for() -> None:
    with asking(*HELLO, api_key=Secret(KEY)) as (engine, script):
        finished(engine, replace(ASKED, stop=("\n",)))
        sent = script.asked("/chat/completions")
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.body == {
        "model": "tiny",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Why? x = 1"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 32,
        "temperature": 0.2,
        "top_p": 0.95,
        "seed": 7,
        "stop": ["\n"],
    }


def test_extensions_are_sent_when_they_were_chosen() -> None:
    chosen = SamplingOptions(top_k=0, min_p=0.1, repeat_penalty=1.2)
    request = replace(ASKED, prompt=RawPrompt("def"), sampling=chosen, candidates=2, top_logprobs=3)
    with asking(*HELLO) as (engine, script):
        finished(engine, request)
        body = script.asked("/completions").body
    assert (body["prompt"], body["n"], body["logprobs"]) == ("def", 2, 3)
    assert (body["top_k"], body["min_p"]) == (-1, 0.1)
    assert body["repetition_penalty"] == body["repeat_penalty"] == 1.2


def test_what_a_server_cannot_do_is_refused() -> None:
    with asking() as (engine, _):
        for act in (
            lambda: engine.stream(replace(ASKED, grammar='root ::= "a"')),
            lambda: engine.render(ASKED.prompt),
            lambda: engine.tokenize("a"),
            lambda: engine.detokenize([1]),
            lambda: engine.score(ASKED.prompt, ["a"]),
        ):
            with pytest.raises(UsageError):
                act()


def test_counts_before_an_answer_are_estimates_by_part() -> None:
    with asking() as (engine, _):
        measure = engine.measure(ASKED.prompt)
    assert not measure.is_exact
    assert measure.tokens == sum(part.tokens for part in measure.parts)
    assert not any(part.cached for part in measure.parts)
    sources = [part.source for part in measure.parts]
    assert sources == ["system", "question", "a.py", "template"]


def test_no_proxy_sees_what_stays_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with asking(*HELLO) as (engine, _):
        assert finished(engine).answers[0].text == "Hello you"
    # Another one goes through the proxy, unless that could read the key.
    assert RemoteSpec("http://10.0.0.1/v1", api_key=Secret(KEY)).goes_direct
    with pytest.raises(EngineUnreachable):
        list(RemoteEngine(RemoteSpec("http://llm.invalid/v1")).load())


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving(Script({"/models": ONE_MODEL})) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        engine = RemoteEngine(RemoteSpec("http://llm.invalid/v1"))
        list(engine.load())
        assert proxy.asked("/models").path == "http://llm.invalid/v1/models"


# ── what comes back ─────────────────────────────────────────────────────────────────────────


def test_an_answer_streams_with_its_counts() -> None:
    usage = {
        "prompt_tokens": 20,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 16},
    }
    counts = json.dumps({"choices": [], "usage": usage})
    with asking(*events(delta("Hel"), delta("lo", "stop"), counts, "[DONE]")) as (engine, _):
        got = list(engine.stream(ASKED))
    assert got[:-1] == [TextChunk("Hel"), TextChunk("lo")]
    end = got[-1]
    assert isinstance(end, Finished)
    answer = end.answers[0]
    assert (answer.reason, answer.text, answer.seed) == (Reason.DONE, "Hello", 7)
    assert (end.usage.prompt_tokens, end.usage.cached_tokens, end.usage.new_tokens) == (20, 16, 5)
    assert 0 < end.usage.seconds_to_first_token < 10


def test_without_counts_the_chunks_are_counted() -> None:
    with asking(*HELLO) as (engine, _):
        usage = finished(engine).usage
    assert (usage.prompt_tokens, usage.new_tokens) == (0, 2)


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_is_kept_apart(field: str) -> None:
    thought = json.dumps({"choices": [{"index": 0, "delta": {field: "Hm. ", "content": None}}]})
    with asking(*events(thought, delta("Yes", "stop"), "[DONE]")) as (engine, _):
        got = list(engine.stream(ASKED))
    assert got[:2] == [ReasoningChunk("Hm. "), TextChunk("Yes")]
    assert isinstance(got[2], Finished)
    assert (got[2].answers[0].reasoning, got[2].answers[0].text) == ("Hm.", "Yes")


def test_reasoning_that_the_server_leaves_in_the_text_is_kept_apart() -> None:
    texts = events(delta("<thi"), delta("nk>Hm.</think>\n\nY"), delta("es", "stop"), "[DONE]")
    with asking(*texts) as (engine, _):
        answer = finished(engine).answers[0]
    assert (answer.reasoning, answer.text) == ("Hm.", "Yes")


@pytest.mark.parametrize(
    ("ending", "new_tokens", "reason"),
    [
        *(("stop", 3, Reason.DONE), ("length", 32, Reason.LENGTH)),
        *(("length", 3, Reason.CONTEXT_FULL), ("content_filter", 3, Reason.FAILED)),
    ],
)
def test_endings_are_told_apart(ending: str, new_tokens: int, reason: Reason) -> None:
    counts = json.dumps({"usage": {"prompt_tokens": 1, "completion_tokens": new_tokens}})
    with asking(*events(delta("Hi", ending), counts, "[DONE]")) as (engine, _):
        answer = finished(engine).answers[0]
    assert (answer.reason, answer.text) == (reason, "Hi")
    assert (ending in answer.error) == (reason is Reason.FAILED)


def test_candidates_arrive_side_by_side() -> None:
    both = events(delta("A"), delta("B", index=1), delta("a", "stop"), delta("b", "length", 1))
    with asking(*both) as (engine, _):
        answers = finished(engine, replace(ASKED, candidates=2)).answers
    assert [(one.candidate, one.text, one.reason) for one in answers] == [
        (0, "Aa", Reason.DONE),
        (1, "Bb", Reason.LENGTH),
    ]


def test_candidates_that_a_server_does_not_write_are_marked() -> None:
    with asking(*HELLO) as (engine, _):
        answers = finished(engine, replace(ASKED, candidates=2)).answers
    assert [one.reason for one in answers] == [Reason.DONE, Reason.FAILED]
    assert "fewer answers" in answers[1].error


def test_log_probabilities_come_in_both_forms() -> None:
    chat = {"content": [{"token": "H", "id": 5, "logprob": -1.0, "top_logprobs": []}]}
    plain = {"tokens": ["H"], "token_logprobs": [-1.0], "top_logprobs": [{"H": -1.0}]}
    for logprobs, token_id, top in ((chat, 5, 0), (plain, -1, 1)):
        chunk = json.dumps({"choices": [{"text": "H", "logprobs": logprobs}]})
        with asking(*events(chunk, delta("", "stop"))) as (engine, _):
            (token,) = finished(engine, replace(ASKED, top_logprobs=1)).answers[0].logprobs
        assert (token.token_id, token.logprob, len(token.top)) == (token_id, -1.0, top)


STREAM = (
    b"\xef\xbb\xbf: hello\r\n\r\ndata:{1}\r\n\r\nevent: x\ndata: \xe4\xbd\xa0 \xe2\x80\xa8\n"
    b"data:  b\n\nid: 3\rdata: c\r\rdata\n\nerror: {}\n\ndata: end"
)


@settings(max_examples=int(1000 * SCALE))
@given(cuts=st.lists(st.integers(0, len(STREAM))))
def test_a_stream_says_the_same_however_it_is_split(cuts: list[int]) -> None:
    parser, places = EventParser(), [0, *sorted(cuts), len(STREAM)]
    got: list[str] = []
    for start, end in pairwise(places):
        got += parser.feed(STREAM[start:end])
    got += parser.finish()
    assert got == ["{1}", "你 \u2028\n b", "c", '{"error":{}}', "end"]


def test_an_event_without_end_is_refused() -> None:
    parser = EventParser()
    assert not list(parser.feed(b"x" * FRAME_BYTES))
    with pytest.raises(WireError, match="8 MiB"):
        list(parser.feed(b"x"))


@pytest.mark.parametrize(
    "steps",
    [
        events(delta("Hello you").encode().join((b"data:", b"\r\n\r\n")), delta("", "stop")),
        events(delta("Hello"), b": still here\n\n", delta(" you", "stop")),
        events(delta("Hello"), delta(" you", "stop"), threading.Event()),  # it never closes
    ],
    ids=["CR LF, no DONE", "comments", "left open"],
)
def test_servers_that_stray_from_the_form_are_understood(steps: tuple[Step, ...]) -> None:
    with asking(*steps) as (engine, _):
        answer = finished(engine).answers[0]
    assert (answer.reason, answer.text) == (Reason.DONE, "Hello you")


# ── cancelling ──────────────────────────────────────────────────────────────────────────────


def test_a_cancel_ends_an_answer_at_once_and_hangs_up() -> None:
    with asking(*events(delta("Once"), threading.Event())) as (engine, script):
        stream = engine.stream(ASKED)
        reader = iter(stream)
        assert next(reader) == TextChunk("Once")
        began = time.monotonic()
        threading.Timer(0.1, stream.cancel).start()
        (end,) = list(reader)
        assert time.monotonic() - began < 0.6
        assert isinstance(end, Finished)
        assert (end.answers[0].reason, end.answers[0].text) == (Reason.STOPPED, "Once")
        assert script.hung_up.wait(10)
        stream.cancel()
        assert list(stream) == []


def test_a_cancel_while_the_server_reads_the_prompt_hangs_up() -> None:
    with asking(threading.Event(), *HELLO) as (engine, script):  # not even the head of an answer
        stream = engine.stream(ASKED)
        stream.cancel()
        (end,) = list(stream)
        assert isinstance(end, Finished)
        assert end.answers[0].reason is Reason.STOPPED
        assert script.hung_up.wait(10)


def test_a_deadline_ends_an_answer() -> None:
    with asking(*events(delta("Once"), threading.Event())) as (engine, script):
        answer = finished(engine, replace(ASKED, deadline_seconds=0.3)).answers[0]
        assert (answer.reason, answer.text) == (Reason.DEADLINE, "Once")
        assert script.hung_up.wait(10)


def test_closing_the_engine_fails_what_runs() -> None:
    with asking(*events(delta("Once"), threading.Event())) as (engine, _):
        reader = iter(engine.stream(ASKED))
        next(reader)
        engine.close()
        engine.close()
        (end,) = list(reader)
        assert isinstance(end, Finished)
        assert end.answers[0].reason is Reason.FAILED
        with pytest.raises(EngineFailed):
            engine.stream(ASKED)


# ── faults ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (events(delta("Half"), '{"error": {"message": "out of memory"}}'), "out of memory"),
        (events(delta("Half"), b'error: {"message": "gone"}\n\n'), "gone"),
        (events(delta("Half"), "{not JSON"), "no part of an answer"),
        (events(delta("Half"), '{"choices": [{"index": "no"}]}'), "no part of an answer"),
        (events(delta("Half")), "broke the answer off"),
        (events(delta("Half"), "[DONE]"), "broke the answer off"),
        (events(delta("Half"), b"data: " + b"x" * (FRAME_BYTES + 2**16)), "8 MiB"),
    ],
)
def test_a_broken_answer_keeps_what_came(steps: tuple[Step, ...], words: str) -> None:
    with asking(*steps) as (engine, _):
        answer = finished(engine).answers[0]
    assert (answer.reason, answer.text) == (Reason.FAILED, "Half")
    assert words in answer.error
    assert answer.hint


def test_a_connection_that_is_cut_keeps_what_came() -> None:
    go_on = threading.Event()
    with asking(*events(delta("Half"), go_on), is_cut=True) as (engine, _):
        reader = iter(engine.stream(ASKED))
        assert next(reader) == TextChunk("Half")
        go_on.set()
        (end,) = list(reader)
    assert isinstance(end, Finished)
    assert (end.answers[0].reason, end.answers[0].text) == (Reason.FAILED, "Half")
    assert "broke the connection off" in end.answers[0].error


def test_silence_fails_an_answer() -> None:
    with asking(*events(delta("Half"), threading.Event()), silence_seconds=0.2) as (engine, _):
        answer = finished(engine).answers[0]
    assert (answer.reason, answer.text) == (Reason.FAILED, "Half")
    assert "the server said nothing for 0.2 s" in answer.error


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (
            reply("<html>", "502 Bad Gateway", "text/html"),
            EngineUnreachable,
            "502): it sent a web page",
        ),
        (reply("", "500 Oops"), EngineUnreachable, "failed (status 500)"),
        (reply("<html>", kind="text/html"), EngineUnreachable, "a web page"),
        (reply('{"choices": []}'), EngineUnreachable, "does not stream"),
        (reply("", "429 Slow", Retry_After="7"), EngineBusy, "in 7 seconds"),
        (reply('{"error":{"message":"Loading model"}}', "503 Wait"), EngineBusy, "Loading model"),
        (reply('{"detail": "top_p"}', "422 No"), UsageError, "status 422): top_p"),
        (
            reply('{"message": "The model `x` does not exist.", "code": 404}', "404 Not Found"),
            ModelError,
            "does not exist",
        ),
        (
            reply('{"error": {"code": "context_length_exceeded", "message": "m"}}', "400 Bad"),
            PromptTooLong,
            "-o max_tokens",
        ),
        (
            reply('{"message": "This model\'s maximum context length is 2048 tokens."}', "400 Bad"),
            PromptTooLong,
            "LLMCHAT_WINDOW=2048",
        ),
        (
            reply(
                '{"error":{"code":400,"message":"the request exceeds the available context size"}}',
                "400 Bad",
            ),
            PromptTooLong,
            "does not fit",
        ),
        (
            reply("", "307 Go", Location="https://evil.example/v1"),
            EngineUnreachable,
            "to https://evil.example/v1",
        ),
    ],
)
def test_refusals_say_what_to_do(
    answer: tuple[Step, ...], kind: type[AssistantError], words: str
) -> None:
    error = refusal(*answer)
    assert type(error) is kind or (kind is EngineUnreachable and isinstance(error, kind))
    assert words in said(error)
    assert error.hint


@pytest.mark.parametrize("status", ["401 Unauthorized", "400 Bad", "500 Oops", "307 Go"])
def test_a_key_that_the_server_repeats_is_masked(status: str) -> None:
    body = json.dumps({"error": {"message": f"wrong: Bearer {KEY}"}})
    error = refusal(*reply(body, status, Location=f"/{KEY}"), key=KEY)
    assert KEY not in said(error)
    assert "…" in said(error)


def test_a_key_that_the_server_repeats_in_an_answers_error_is_masked() -> None:
    broken = json.dumps({"error": f"bad {KEY}"})
    with asking(*events(delta("Half"), broken), api_key=Secret(KEY)) as (engine, _):
        answer = finished(engine).answers[0]
    assert "bad …" in answer.error


def test_no_command_shows_a_key() -> None:
    body = json.dumps({"error": {"message": f"wrong: Bearer {KEY}"}})
    environment = {**os.environ, "LLMCHAT_API_KEY": KEY}
    with serving(Script({"/models": reply(body, "401 No")})) as script:
        for words in (("-m", f"openai:{script.url}", "--debug", "Hi"), ("config", "show", "-v")):
            command = [sys.executable, "-m", "assistant", *words]
            done = subprocess.run(command, env=environment, capture_output=True, check=False)
            assert KEY.encode() not in done.stdout + done.stderr
            assert done.returncode == (0 if words[0] == "config" else 9)
        assert script.asked("/models").headers["authorization"] == f"Bearer {KEY}"


def test_a_refused_key_says_where_keys_come_from() -> None:
    answer = reply("", "401 Unauthorized")
    assert "wants an API key" in refusal(*answer).message
    error = refusal(*answer, key=KEY)
    assert "does not accept the API key" in error.message
    assert "api_key_file" in error.hint


def test_a_redirect_is_not_followed() -> None:
    with serving(Script({"/chat/completions": HELLO})) as other:
        answer = reply("", "302 Found", Location=f"{other.url}/chat/completions")
        refusal(*answer, key=KEY)
        assert other.requests == []


# ── estimates ───────────────────────────────────────────────────────────────────────────────


def test_text_has_at_least_a_token_and_none_has_none() -> None:
    assert [estimate_tokens(text) for text in ("", "a", "好", "\ud800")] == [0, 1, 1, 1]
