"""What the processor can against what llama.cpp was built to use."""

from pathlib import Path

import planted
import pytest

from assistant.doctor.check import Status
from assistant.doctor.llamacpp_build import rebuild_command
from assistant.doctor.processor import build_features, check_processor, macos_features


def test_a_build_for_this_very_processor_is_well(tmp_path: Path) -> None:
    found = check_processor(planted.AVX2_BUILD, planted.machine(tmp_path))
    assert found.status is Status.OK
    assert "AVX2" in found.says
    assert "1 core to compute with" in found.says


def test_a_build_that_uses_less_is_slow(tmp_path: Path) -> None:
    root = planted.machine(tmp_path, flags=f"{planted.AVX2_FLAGS} avx512f avx512_vnni")
    found = check_processor(planted.AVX2_BUILD, root)
    assert found.status is Status.WARNING
    assert "built without AVX512, AVX512_VNNI" in found.says
    assert found.hint == rebuild_command()


def test_what_only_new_compilers_know_is_not_missed(tmp_path: Path) -> None:
    root = planted.machine(tmp_path, flags=f"{planted.AVX2_FLAGS} avx_vnni")
    assert check_processor(planted.AVX2_BUILD, root).status is Status.OK


def test_a_build_that_uses_more_would_crash(tmp_path: Path) -> None:
    root = planted.machine(tmp_path, flags="fpu sse2 avx")
    found = check_processor(planted.AVX2_BUILD, root)
    assert found.status is Status.FAILED
    assert "this one has no AVX2, BMI2, F16C, FMA" in found.says
    assert found.hint == rebuild_command()


def test_a_processor_that_tells_nothing_is_not_blamed(tmp_path: Path) -> None:
    assert check_processor(planted.AVX2_BUILD, tmp_path).status is Status.OK


def test_without_llama_cpp_only_the_processor_is_shown(tmp_path: Path) -> None:
    found = check_processor("", planted.machine(tmp_path, flags="avx"))
    assert (found.status, found.says.endswith("; AVX")) == (Status.OK, True)


@pytest.mark.parametrize(
    ("info", "features"),
    [
        ("CPU : NEON = 1 | ARM_FMA = 1 | DOTPROD = 1 | MATMUL_INT8 = 0 |", {"NEON", "DOTPROD"}),
        ("CUDA : ARCHS = 500 | USE_GRAPHS = 1 | CPU : AVX2 = 1 |", {"AVX2"}),
        ("", set()),
    ],
)
def test_only_what_depends_on_the_processor_is_read_from_the_build(
    info: str, features: set[str]
) -> None:
    assert build_features(info) == features


def test_arm_and_macos_call_the_same_things_by_other_names(tmp_path: Path) -> None:
    told = "hw.optional.neon: 1\nhw.optional.arm.FEAT_DotProd: 1\nhw.optional.arm.FEAT_I8MM: 0\n"
    assert macos_features(told) == {"NEON", "DOTPROD"}
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("Features\t: fp asimd asimddp i8mm\n")
    found = check_processor("CPU : NEON = 1 | DOTPROD = 1 | MATMUL_INT8 = 1 |", tmp_path)
    assert (found.status, "MATMUL_INT8" in found.says) == (Status.OK, True)
