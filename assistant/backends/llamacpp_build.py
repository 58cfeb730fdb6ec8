"""What this build of llama.cpp computes with: numbers differ where one of these words does."""

import re
from typing import Any

from assistant.backends.llamacpp_bindings import load_ggml, wrapper_version
from assistant.backends.llamacpp_gpu import gpu_names

# All there where a build is for this kind of processor: then its name says them all.
_COMMON = ("SSE3", "SSSE3", "AVX", "AVX2", "F16C", "FMA", "BMI2")
_SECTION = re.compile(r"^(\w+) : (.*)$")


def describe_build(
    lib: Any, *, kv_type: str, has_flash: bool, threads: int, gpu_layers: int
) -> str:
    """One line for people, as in `BackendInfo.build`."""
    version = wrapper_version()
    words = [f"llama.cpp (llama-cpp-python {version})" if version else "llama.cpp"]
    if lib.llama_supports_gpu_offload():
        names = ", ".join(gpu_names(load_ggml())) or "no gpu found"
        words.append(f"{names}, {_count(gpu_layers, 'layer')}")
    words.append(features(lib.llama_print_system_info().decode("utf-8", "replace")))
    words.append(f"kv {kv_type}" + (", flash attention" if has_flash else ""))
    return " · ".join([*words, _count(threads, "thread")])


def features(system_info: str) -> str:
    """What is on in a line of llama.cpp's, section by section: "cpu avx2 avx512 llamafile"."""
    sections: dict[str, list[str]] = {}
    section = ""
    for field in system_info.split(" | "):
        if found := _SECTION.match(field.strip()):
            section, field = found.groups()
        name, _, value = field.strip().partition(" = ")
        if name and value not in ("", "0"):
            sections.setdefault(section, []).append(name if value == "1" else f"{name}={value}")
    return " · ".join(
        " ".join([name, *_without_common(found)]).strip().lower()
        for name, found in sections.items()
    )


def _without_common(names: list[str]) -> list[str]:
    if not {*_COMMON} <= {*names}:
        return names
    return [name for name in names if name not in _COMMON or name == "AVX2"]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + "s" * (number != 1)
