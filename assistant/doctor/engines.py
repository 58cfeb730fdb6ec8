"""The engines that stay in the background: whether they can, which do, and whether they answer."""

from assistant.doctor.check import Check, check, ok, warning
from assistant.engine.address import NAME_BYTES
from assistant.engine.neighbours import neighbours
from assistant.paths import socket_folder
from assistant.rendering.quantities import size_text


@check("engine")
def check_engine() -> Check:
    folder = socket_folder(NAME_BYTES)  # raises what is wrong with it
    found = neighbours()
    if silent := [one.pid for one in found if one.status is None]:
        return warning(f"process {silent[0]} does not answer", f"llmchat engine stop {silent[0]}")
    running = [
        f"{one.status.model} ({size_text(one.status.memory_bytes)})" for one in found if one.status
    ]
    return ok(f"{', '.join(running) or 'none runs now'}; sockets in {folder}")
