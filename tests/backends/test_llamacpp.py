"""What is llama.cpp's own: memory, damaged files, the native log, threads, GPU layers, KV types."""

import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from assistant.backends import llamacpp
from assistant.backends.base import Backend, DecodeResult, ModelSpec, Row, SamplingOptions
from assistant.backends.llamacpp import LlamaCppBackend
from assistant.backends.llamacpp_bindings import AbortFlag, NativeLog
from assistant.backends.llamacpp_build import features
from assistant.backends.llamacpp_gpu import PLANNED_TOKENS, WORKING_BYTES, layers_that_fit
from assistant.errors import EngineFailed, ModelError, NotEnoughMemory, UsageError
from assistant.events import ModelLoading
from assistant.model_store.gguf_file import GgufFile, read_gguf
from assistant.model_store.memory import context_bytes

CUDA_INFO = """CUDA : ARCHS = 800,900 | USE_GRAPHS = 1 | PEER_MAX_BATCH_SIZE = 128 | \
CPU : SSE3 = 1 | SSSE3 = 1 | AVX = 1 | AVX2 = 1 | F16C = 1 | FMA = 1 | BMI2 = 1 | REPACK = 1 | """
GREEDY = SamplingOptions(temperature=0.0)


def go_on(_loading: ModelLoading) -> bool:
    return True


@pytest.fixture
def backend(starter_spec: ModelSpec) -> Iterator[LlamaCppBackend]:
    opened = LlamaCppBackend(starter_spec, go_on)
    yield opened
    opened.close()


def written(backend: Backend, text: str, count: int = 8) -> str:
    tokens = backend.tokenizer.tokenize(text)
    sampler = backend.new_sampler(GREEDY, 1)
    backend.trim(0, 0)
    for _ in range(count):
        held = 0 if len(tokens) == len(backend.tokenizer.tokenize(text)) else len(tokens) - 1
        assert backend.decode([Row(0, tokens[held:], held, True)]) is DecodeResult.DECODED
        tokens.append(backend.sample(0, sampler))
    sampler.close()
    return b"".join(map(backend.tokenizer.piece, tokens[-count:])).decode()


# ── memory ──────────────────────────────────────────────────────────────────────────────────


def test_a_model_over_the_memory_is_refused_with_choices(
    starter_spec: ModelSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llamacpp, "available_bytes", lambda: 100 << 20)
    with pytest.raises(NotEnoughMemory) as raised:
        LlamaCppBackend(starter_spec, go_on)
    assert "105 MB are free" in raised.value.message
    assert raised.value.hint


def test_without_memory_for_a_larger_context_there_is_no_room(
    backend: LlamaCppBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = backend.tokenizer.tokenize("a b c d " * 80)[:300]
    assert backend.decode([Row(0, tokens, 0, False)]) is DecodeResult.DECODED
    monkeypatch.setattr(llamacpp, "available_bytes", lambda: 0)
    assert backend.decode([Row(1, tokens, 0, False)]) is DecodeResult.NO_ROOM
    assert not backend.import_state(1, backend.export_state(0))
    assert backend.decode([Row(0, tokens[:5], 300, False)]) is DecodeResult.DECODED
    monkeypatch.undo()
    assert backend.decode([Row(1, tokens, 0, False)]) is DecodeResult.DECODED


def test_a_larger_context_that_cannot_be_opened_leaves_the_old_one(
    backend: LlamaCppBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = written(backend, "1, 2, 3, 4, 5,")
    prompt = backend.tokenizer.tokenize("1, 2, 3, 4, 5,")
    backend.trim(0, len(prompt) - 1)
    open_context = backend._open_context

    def open_small(tokens: int) -> None:
        if tokens > 512:
            raise ModelError("the GPU is full")
        open_context(tokens)

    monkeypatch.setattr(backend, "_open_context", open_small)
    more = backend.tokenizer.tokenize("a b c d " * 200)[:510]
    assert backend.decode([Row(1, more, 0, False)]) is DecodeResult.NO_ROOM
    assert backend.decode([Row(0, prompt[-1:], len(prompt) - 1, True)]) is DecodeResult.DECODED
    assert written(backend, "1, 2, 3, 4, 5,") == expected
    monkeypatch.setattr(backend, "_open_context", lambda _: open_small(10**6))
    with pytest.raises(EngineFailed, match="the GPU is full"):
        backend.decode([Row(1, more, 0, False)])


@pytest.mark.parametrize("kv_type", ["q8_0", "q4_0"])
def test_a_smaller_kv_type_writes_sensible_text(starter_spec: ModelSpec, kv_type: str) -> None:
    backend = LlamaCppBackend(replace(starter_spec, kv_type=kv_type), go_on)
    try:
        assert written(backend, "1, 2, 3, 4, 5, 6,", 2).strip().startswith("7")
        state = backend.export_state(0)
        assert backend.import_state(3, state)
    finally:
        backend.close()


def test_a_state_of_another_kv_type_is_refused(
    starter_spec: ModelSpec, backend: LlamaCppBackend
) -> None:
    other = LlamaCppBackend(replace(starter_spec, kv_type="q8_0"), go_on)
    written(other, "1, 2, 3", 1)
    state = other.export_state(0)
    other.close()
    assert not backend.import_state(0, state)


def test_an_unknown_kv_type_is_refused(starter_spec: ModelSpec) -> None:
    with pytest.raises(UsageError, match="q9_9"):
        LlamaCppBackend(replace(starter_spec, kv_type="q9_9"), go_on)


# ── files ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_refused_with_a_reason(
    starter_spec: ModelSpec, tmp_path: Path, share: float
) -> None:
    path = tmp_path / "cut.gguf"
    with starter_spec.path.open("rb") as whole:
        path.write_bytes(whole.read(int(starter_spec.path.stat().st_size * share)))
    with pytest.raises(
        ModelError, match=r"cut\.gguf cannot be used: (it is empty|the file is cut short)"
    ) as raised:
        LlamaCppBackend(replace(starter_spec, path=path), go_on)
    assert "download it again" in raised.value.hint


def test_a_file_that_llama_cpp_refuses_fails_with_its_reason(
    starter_spec: ModelSpec, tmp_path: Path
) -> None:
    path = tmp_path / "odd.gguf"
    data = starter_spec.path.read_bytes()
    path.write_bytes(data.replace(b"token_embd.weight", b"token_embd.w8ight", 1))
    with pytest.raises(ModelError, match=r"tensor 'token_embd\.weight'") as raised:
        LlamaCppBackend(replace(starter_spec, path=path), go_on)
    assert "odd.gguf" in raised.value.message
    assert raised.value.hint


def test_loading_can_be_given_up(starter_spec: ModelSpec) -> None:
    with pytest.raises(ModelError):
        LlamaCppBackend(starter_spec, lambda _share: False)


# ── the process around it ───────────────────────────────────────────────────────────────────

ASK = """
import json, sys
from pathlib import Path
from assistant.backends.base import ModelSpec, Row, SamplingOptions
from assistant.backends.llamacpp import LlamaCppBackend
before = sorted(sys.modules)
spec = ModelSpec(Path(sys.argv[1]), threads=1, log=Path(sys.argv[2]))
backend = LlamaCppBackend(spec, lambda share: True)
backend.decode([Row(0, backend.tokenizer.tokenize("Hi there"), 0, True)])
backend.sample(0, backend.new_sampler(SamplingOptions(), 1))
assert not backend.import_state(0, backend.export_state(0)[:-1])  # the native log says why
backend.close()
Path(sys.argv[3]).write_text(json.dumps(sorted(sys.modules)))
"""


def test_native_noise_goes_to_the_log_and_nothing_heavy_is_imported(
    starter_spec: ModelSpec, tmp_path: Path
) -> None:
    log, modules = tmp_path / "native.log", tmp_path / "modules.json"
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(starter_spec.path), str(log), str(modules)],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert "llama_model_loader" in log.read_text()
    imported = set(json.loads(modules.read_text()))
    assert imported.isdisjoint({"numpy", "llama_cpp.llama", "jinja2", "diskcache", "torch"})


def test_the_log_starts_afresh_when_it_has_grown_large(tmp_path: Path) -> None:
    path = tmp_path / "native.log"
    path.write_text("old\n" * 2_000_000)
    log = NativeLog()
    for line in (b"one\n", b"two\n"):
        log.write_to(path)
        log._take(4, line, None)
    log.write_to(tmp_path)  # closes it; a folder takes no lines
    assert path.read_text() == "one\ntwo\n"


def test_nobody_else_reads_the_log(tmp_path: Path) -> None:
    path = tmp_path / "native.log"
    log = NativeLog()
    log.write_to(path)
    log.write_to(tmp_path)  # closes it
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_log_that_cannot_be_written_ends_nothing(tmp_path: Path) -> None:
    log = NativeLog()
    log.write_to(tmp_path / "missing" / "native.log")
    log._take(4, b"something \xff broke\n", None)
    log._take(5, b" and more\n", None)
    log._take(3, b"a warning\n", None)
    assert log.last_errors() == ["something \ufffd broke", " and more"]


def test_the_threads_setting_reaches_llama_cpp(starter_spec: ModelSpec) -> None:
    for threads in (1, 2):
        backend = LlamaCppBackend(replace(starter_spec, threads=threads), go_on)
        assert backend._lib.llama_n_threads(backend._context) == threads
        assert backend._lib.llama_n_threads_batch(backend._context) == threads
        backend.close()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux has /proc")
def test_samplers_and_slots_leave_no_memory_behind(backend: LlamaCppBackend) -> None:
    written(backend, "1, 2, 3,", 1)

    def work(rounds: int) -> int:
        for _ in range(rounds):
            sampler = backend.new_sampler(SamplingOptions(repeat_penalty=1.1), 1, 'root ::= "a"*')
            sampler.close()
            with pytest.raises(UsageError):
                backend.new_sampler(SamplingOptions(repeat_penalty=1.1), 1, "root ::= (")
            assert backend.import_state(1, backend.export_state(0))
        resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
        return resident_pages * os.sysconf("SC_PAGE_SIZE")

    before = work(50)
    assert work(300) - before < 8 << 20


def test_an_abort_flag_stays_up_until_it_is_lowered() -> None:
    flag = AbortFlag()
    assert not flag.is_raised()
    flag.raise_()
    flag.raise_()
    assert flag.is_raised()
    flag.lower()
    assert not flag.is_raised()
    assert flag.nodes() == 0


# ── GPU layers ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def file(starter_spec: ModelSpec) -> GgufFile:
    return read_gguf(starter_spec.path)


def test_all_layers_go_to_a_gpu_that_has_room(file: GgufFile) -> None:
    assert layers_that_fit(file, "f16", 80 << 30) == file.block_count + 1


@pytest.mark.parametrize("free", [0, 1, WORKING_BYTES - 1, WORKING_BYTES])
def test_no_layer_goes_to_a_gpu_without_room(file: GgufFile, free: int) -> None:
    assert layers_that_fit(file, "f16", free) == 0


@pytest.mark.parametrize("kv_type", ["f16", "q4_0"])
def test_as_many_layers_as_fit_go_to_a_small_gpu(file: GgufFile, kv_type: str) -> None:
    planned = context_bytes(file, min(PLANNED_TOKENS, file.window), kv_type)
    one = (file.size_bytes + planned) / (file.block_count + 1)
    for layers in (1, 7, file.block_count):
        assert layers_that_fit(file, kv_type, WORKING_BYTES + int(one * layers) + 99) == layers


# ── what its numbers depend on ──────────────────────────────────────────────────────────────


def test_the_build_names_versions_processor_keys_and_threads(starter_spec: ModelSpec) -> None:
    version = importlib.metadata.version("llama-cpp-python")
    for spec, ending in (
        (starter_spec, " · kv f16 · 1 thread"),
        (
            replace(starter_spec, kv_type="q8_0", threads=2),
            " · kv q8_0, flash attention · 2 threads",
        ),
    ):
        opened = LlamaCppBackend(spec, go_on)
        build = opened.info.build
        opened.close()
        assert build.startswith(f"llama.cpp (llama-cpp-python {version}) · cpu ")
        assert build.endswith(ending)
        assert len(build) < 200


def test_the_usual_of_a_processor_is_said_in_one_word() -> None:
    assert features(CUDA_INFO) == (
        "cuda archs=800,900 use_graphs peer_max_batch_size=128 · cpu avx2 repack"
    )
    assert features("CPU : SSE3 = 1 | AVX2 = 1 | FMA = 0 | ") == "cpu sse3 avx2"
    assert features("") == ""
