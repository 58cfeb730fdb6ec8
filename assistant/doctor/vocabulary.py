"""What a child process found in the model's vocabulary and template (template_probe.py)."""

from assistant.doctor.check import Check, Status, check, failed
from assistant.doctor.children import ChildAnswer
from assistant.doctor.llamacpp_build import rebuild_command

PROBE = "assistant.doctor.template_probe"


def vocabulary_checks(answer: ChildAnswer) -> list[Check]:
    """The child's own checks, or one that says how it ended."""
    if "checks" not in answer.content:
        return [_ended(answer)]
    return [
        Check(found["name"], Status(found["status"]), found["says"], found["hint"])
        for found in answer.content["checks"]
    ]


@check("vocabulary")
def _ended(answer: ChildAnswer) -> Check:
    if answer.signal == "SIGILL":
        return failed("llama.cpp was built for another processor (SIGILL)", rebuild_command())
    return failed(
        f"llama.cpp cannot read the model's vocabulary: {answer.problem}",
        "the file may be damaged: download it again, or -m starter",
    )
