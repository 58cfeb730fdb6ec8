"""`llmchat engine`: the engines that stay in the background, and what they keep on disk."""

import sys
import time
from typing import Annotated

import typer
from msgspec import json, to_builtins

from assistant.cli.options import Options
from assistant.cli.report import Report
from assistant.config import Settings
from assistant.engine.address import log_folder
from assistant.engine.base import Activity
from assistant.engine.neighbours import Neighbour, neighbours
from assistant.engine.snapshots import list_snapshots
from assistant.engine.wire import EngineStatus
from assistant.errors import InputError, UsageError
from assistant.rendering.quantities import duration_text, size_text
from assistant.rendering.tables import write_table
from assistant.startup import snapshot_folder
from assistant.visible_text import visible

Process = Annotated[str | None, typer.Argument(metavar="PROCESS", hidden=True)]
Action = Annotated[str, typer.Argument(metavar="list|clear", hidden=True)]

NONE_RUNS = "no engine runs; the next question starts one"


def status(_ctx: typer.Context, *, options: Options) -> None:
    """Show the engines that run: model, memory, who uses them, how much was reused.

    \b
    llmchat engine status
    """
    as_json, found = options.wants_json, neighbours()
    if as_json:
        sys.stdout.write(json.encode([_facts(one) for one in found]).decode() + "\n")
        return
    if not found:
        _report(options).done(NONE_RUNS)
    for number, one in enumerate(found):
        if number:
            sys.stdout.write("\n")
        write_table(_rows(one), sys.stdout)


def start(_ctx: typer.Context, *, options: Options) -> None:
    """Load the model now, so that the first question need not wait.

    \b
    llmchat engine start
    llmchat engine start -m ~/models/qwen2.5-coder-7b-instruct-q4_k_m.gguf
    """
    settings = options.load_settings()
    if not settings.resident or settings.keep_alive == 0:
        raise UsageError(
            "the engine would end with this command",
            "llmchat engine start --resident -o keep_alive=5m",
        )
    start_engine(settings, _report(options))


def stop(_ctx: typer.Context, process: Process = None, *, options: Options) -> None:
    """End the engines, or the one of a process; what they are answering ends, too.

    \b
    llmchat engine stop
    """
    report = _report(options)
    found = [one for one in neighbours() if process in (None, str(one.pid))]
    if not found:
        if process is not None:
            raise InputError(f"no engine has process {process}", "llmchat engine status")
        report.done("no engine runs")
    for one in found:
        if options.dry_run:
            report.done(f"would stop {_name(one)} (process {one.pid})")
            continue
        end = "stopped" if one.stop() else "killed, because it did not answer:"
        report.done(f"{end} {_name(one)} (process {one.pid})")


def logs(_ctx: typer.Context, *, options: Options) -> None:
    """Show the log of the engine that was started last.

    \b
    llmchat engine logs
    """
    found = sorted(log_folder().glob("engine-*.log"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise InputError("there is no log: no engine was started yet", "llmchat engine start")
    _report(options).note([str(found[-1])])
    with found[-1].open(encoding="utf-8", errors="replace") as log:
        for line in log:
            sys.stdout.write(visible(line.rstrip("\n")) + "\n")


def cache(_ctx: typer.Context, action: Action = "list", *, options: Options) -> None:
    """List what the models have read and keep on disk, or clear it; engines forget it, too.

    \b
    llmchat engine cache list
    llmchat engine cache clear
    """
    if action == "clear":
        clear_cache(_report(options), is_dry_run=bool(options.dry_run))
    elif action == "list":
        show_cache(_report(options), as_json=options.wants_json)
    else:
        raise UsageError(f"llmchat engine cache: there is no {action}", "list or clear")


def show_cache(report: Report, *, as_json: bool) -> None:
    found = list_snapshots(snapshot_folder())
    if as_json:
        sys.stdout.write(json.encode(found, enc_hook=str).decode() + "\n")
        return
    now = time.time()
    rows = [
        [
            f"{one.tokens:,} tokens",
            size_text(one.size_bytes),
            f"{duration_text(max(0.0, now - one.last_used))} ago",
            one.model or "no snapshot: it goes with the next clear",
        ]
        for one in found
    ]
    write_table(rows, sys.stdout, right=(0, 1, 2))
    total = size_text(sum(one.size_bytes for one in found))
    states = "1 state" if len(found) == 1 else f"{len(found)} states"
    report.done(f"{states}, {total}, in {snapshot_folder()}")


def clear_cache(report: Report, *, is_dry_run: bool) -> None:
    if is_dry_run:
        size = sum(one.size_bytes for one in list_snapshots(snapshot_folder()))
        report.done(f"would free {size_text(size)} in {snapshot_folder()}")
        return
    from assistant.cli.forgetting import forget_what_was_read  # for this alone

    report.done(f"freed {size_text(forget_what_was_read(report))}")


def start_engine(settings: Settings, report: Report) -> None:
    """Raises `ModelError`, `NotEnoughMemory`, `EngineUnreachable`."""
    from assistant.cli.loaded_engine import loaded_engine

    with loaded_engine(settings, report) as engine:
        kept = engine.kept
        report.done(
            f"{engine.info.name} is loaded"
            + (f" and holds {size_text(kept.memory_bytes)}" if kept else " already")
        )


def _report(options: Options) -> Report:
    return Report(sys.stderr, is_quiet=bool(options.quiet))


def _name(one: Neighbour) -> str:
    return one.status.model if one.status else "an engine that does not answer"


def _facts(one: Neighbour) -> dict[str, object]:
    known = to_builtins(one.status) if one.status else {}
    return {"pid": one.pid, "socket": str(one.address.socket), **known}


def _rows(one: Neighbour) -> list[list[str]]:
    if one.status is None:
        words = "does not answer: llmchat engine stop"
        return [["process", str(one.pid)], ["state", words], ["log", str(one.address.log)]]
    told, done = one.status, one.status.activity
    return [
        ["model", told.model],
        ["file", told.path],
        ["process", f"{told.pid}, up {duration_text(told.seconds_up)}, {_state(told)}"],
        ["memory", size_text(told.memory_bytes)],
        ["window", f"{done.tokens_held:,} tokens held; {told.window:,} a conversation"],
        ["clients", str(told.clients)],
        ["requests", f"{done.requests:,}; {done.running} running, {done.waiting} waiting"],
        ["cache", _cache(done)],
        ["log", told.log],
    ]


def _state(told: EngineStatus) -> str:
    if told.is_loading:
        return "loading"
    if not told.seconds_idle:
        return "at work"
    if told.keep_alive < 0:
        return "stays for ever"
    if told.keep_alive == 0:
        return "ends with the last client"
    return f"ends in {duration_text(max(0.0, told.keep_alive - told.seconds_idle))}"


def _cache(done: Activity) -> str:
    if not done.prompt_tokens:
        return "nothing was asked yet"
    share = done.cached_tokens / done.prompt_tokens
    return f"{share:.0%} of {done.prompt_tokens:,} prompt tokens were there already"
