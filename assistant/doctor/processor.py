"""What the processor can, and whether llama.cpp was built to use it.

Names are those of llama.cpp's system info; only those are listed that make a model faster.
Sources: arch/x86/include/asm/cpufeatures.h and arch/arm64/kernel/cpuinfo.c of Linux,
https://developer.apple.com/documentation/kernel/1387446-sysctlbyname
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from assistant.doctor.check import Check, check, failed, ok, warning
from assistant.doctor.llamacpp_build import rebuild_command
from assistant.model_store.machine import ROOT, cpu_threads

# flags and Features in /proc/cpuinfo
LINUX = {
    "avx": "AVX",
    "avx2": "AVX2",
    "fma": "FMA",
    "f16c": "F16C",
    "bmi2": "BMI2",
    "avx_vnni": "AVX_VNNI",
    "avx512f": "AVX512",
    "avx512vbmi": "AVX512_VBMI",
    "avx512_vnni": "AVX512_VNNI",
    "avx512_bf16": "AVX512_BF16",
    "asimd": "NEON",
    "neon": "NEON",
    "asimddp": "DOTPROD",
    "i8mm": "MATMUL_INT8",
}
# `sysctl hw.optional` on macOS
MACOS = {
    "hw.optional.avx1_0": "AVX",
    "hw.optional.avx2_0": "AVX2",
    "hw.optional.fma": "FMA",
    "hw.optional.f16c": "F16C",
    "hw.optional.bmi2": "BMI2",
    "hw.optional.avx512f": "AVX512",
    "hw.optional.neon": "NEON",
    "hw.optional.AdvSIMD": "NEON",
    "hw.optional.arm.FEAT_DotProd": "DOTPROD",
    "hw.optional.arm.FEAT_I8MM": "MATMUL_INT8",
}
USED = re.compile(r"\b(\w+) = 1\b")
NEWEST = frozenset({"AVX_VNNI", "AVX512_VBMI", "AVX512_BF16"})  # old compilers lack them


@check("processor")
def check_processor(system_info: str, root: Path = ROOT) -> Check:
    """`system_info` is llama.cpp's; "" when it could not be loaded."""
    can = processor_features(root)
    used = build_features(system_info)
    names = ", ".join(sorted(can)) or "it does not tell what it can"
    if not system_info:
        return ok(f"{_cores(root)}; {names}")
    lacking = sorted(used - can) if can else []
    if lacking:
        return failed(
            f"llama.cpp was built for another processor: this one has no {', '.join(lacking)}",
            rebuild_command(),
        )
    unused = sorted(can - used - NEWEST)
    if unused:
        return warning(
            f"{_cores(root)}; llama.cpp was built without {', '.join(unused)}, "
            "which would make it faster",
            rebuild_command(),
        )
    return ok(f"{_cores(root)}; {names}")


def build_features(system_info: str) -> frozenset[str]:
    """Those of llama.cpp's "CPU : AVX = 1 | AVX2 = 1 | …" that depend on the processor."""
    return frozenset(USED.findall(system_info)) & {*LINUX.values()}


def processor_features(root: Path = ROOT) -> frozenset[str]:
    """Empty where the system does not tell."""
    try:
        text = (root / "proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return macos_features(_sysctl()) if sys.platform == "darwin" else frozenset()
    for line in text.split("\n"):
        name, _, words = line.partition(":")
        if name.strip() in ("flags", "Features"):
            return _named(dict.fromkeys(words.split(), True), LINUX)
    return frozenset()


def macos_features(sysctl: str) -> frozenset[str]:
    """From lines such as "hw.optional.neon: 1"."""
    pairs = (line.partition(":") for line in sysctl.split("\n"))
    return _named({name: value.strip() == "1" for name, _, value in pairs}, MACOS)


def _named(found: Mapping[str, bool], names: Mapping[str, str]) -> frozenset[str]:
    return frozenset(names[flag] for flag, is_set in found.items() if is_set and flag in names)


def _sysctl() -> str:
    try:
        return subprocess.run(
            ["/usr/sbin/sysctl", "hw.optional"],
            capture_output=True,
            text=True,
            timeout=2,
            check=False,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _cores(root: Path) -> str:
    threads = cpu_threads(root)
    cores = "1 core" if threads == 1 else f"{threads} cores"
    logical = os.cpu_count() or threads
    return f"{cores} to compute with" + (f" (of {logical} logical)" if logical > threads else "")
