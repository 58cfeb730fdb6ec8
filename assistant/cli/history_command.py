"""`llmchat history …`: what becomes of past conversations; what the commands do stands in
history_shown.py and history_changes.py, and is imported when it is used.
"""

import sys
from typing import Annotated

import typer

from assistant.cli.completions import complete_conversations
from assistant.cli.options import Options, as_text
from assistant.cli.report import Report
from assistant.errors import UsageError

All = Annotated[bool | None, typer.Option("--all", "-a", help="All, not only the latest 20.")]
AllOfThem = Annotated[bool | None, typer.Option("--all", "-a", help="All conversations.")]
Check = Annotated[
    bool | None,
    typer.Option("--check", help="Only say whether it is the same; exit with 1 if not."),
]
Name = Annotated[
    str | None,
    typer.Argument(metavar="NAME", hidden=True, autocompletion=complete_conversations),
]
Message = Annotated[
    str | None,
    typer.Argument(metavar="NAME[.N]", hidden=True, autocompletion=complete_conversations),
]
Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME", hidden=True, autocompletion=complete_conversations),
]
Words = Annotated[list[str] | None, typer.Argument(metavar="WORDS", hidden=True)]
Title = Annotated[list[str] | None, typer.Argument(metavar="TITLE", hidden=True)]
Source = Annotated[str | None, typer.Argument(metavar="FILE|-", hidden=True)]


def list_(_ctx: typer.Context, wants_all: All = None, *, options: Options) -> None:
    """List conversations, the newest first: name, age, messages, title.

    \b
    llmchat history
    llmchat history list --all
    """
    from assistant.cli import history_shown  # the store and tables: nothing for --help

    limit = None if wants_all else history_shown.LATEST
    history_shown.write_list(_report(options), limit, as_json=options.wants_json)


def show(_ctx: typer.Context, name: Message = None, *, options: Options) -> None:
    """Show a conversation, the latest one without a name, or its branch up to message N.

    \b
    llmchat history show
    llmchat history show k7m2q > talk.md
    llmchat history show k7m2q.4
    """
    from assistant.cli import history_shown  # see list_

    history_shown.show(name, _report(options), options.load_settings())


def search(_ctx: typer.Context, words: Words = None, *, options: Options) -> None:
    """Find messages that hold all words, the newest first; exits with 1 when none does.

    \b
    llmchat history search fit_history
    llmchat history search '"connection refused" postgres'
    """
    from assistant.cli import history_shown  # see list_

    query = as_text(" ".join(words or []))
    history_shown.search(query, _report(options), options.load_settings())


def rename(
    _ctx: typer.Context, name: Name = None, title: Title = None, *, options: Options
) -> None:
    """Give a conversation another title; its name stays the same.

    \b
    llmchat history rename k7m2q Sorting in place
    """
    from assistant.cli import history_changes  # see list_

    said = as_text(" ".join(" ".join(title or []).split()))
    if not (name and said):
        raise UsageError("rename needs a name and a title", "llmchat history rename NAME TITLE")
    history_changes.rename(name, said, _report(options), is_dry_run=bool(options.dry_run))


def fork(_ctx: typer.Context, name: Message = None, *, options: Options) -> None:
    """Go another way from a message on, in a new conversation whose name is written.

    \b
    llmchat history fork k7m2q.4
    """
    from assistant.cli import history_changes  # see list_

    history_changes.fork(name, _report(options), is_dry_run=bool(options.dry_run))


def export(
    _ctx: typer.Context, names: Names = None, wants_all: AllOfThem = None, *, options: Options
) -> None:
    """Write conversations as Markdown, or with all that is known of them as lines of JSON.

    \b
    llmchat history export k7m2q > talk.md
    llmchat history export --all --json > history.jsonl
    """
    from assistant.cli import history_export  # see list_

    if names and wants_all:
        raise UsageError("export takes names or --all", "llmchat history export --all")
    history_export.export(
        names or [], _report(options), options.load_settings(), wants_all=bool(wants_all)
    )


def import_(_ctx: typer.Context, source: Source = None, *, options: Options) -> None:
    """Take in conversations that were exported as lines of JSON, all of a file or none.

    \b
    llmchat history import history.jsonl
    ssh other llmchat history export --all --json | llmchat history import -
    """
    from assistant.cli import history_export  # see list_

    if not source:
        raise UsageError("import needs a file", "llmchat history import FILE")
    history_export.import_file(source, _report(options), is_dry_run=bool(options.dry_run))


def delete(
    _ctx: typer.Context, names: Names = None, wants_all: AllOfThem = None, *, options: Options
) -> None:
    """Delete conversations for good, and what models keep on disk of what they read.

    \b
    llmchat history delete k7m2q
    llmchat history delete --all
    """
    from assistant.cli import history_changes  # see list_

    if bool(names) == bool(wants_all):
        raise UsageError("delete takes names or --all", "llmchat history delete NAME")
    history_changes.delete(
        names or [],
        _report(options),
        is_approved=bool(options.yes),
        is_dry_run=bool(options.dry_run),
    )


def compact(_ctx: typer.Context, name: Name = None, *, options: Options) -> None:
    """Put a summary in the place of a conversation's older half; -e changes the one it has.

    \b
    llmchat history compact
    llmchat history compact -e k7m2q
    """
    from assistant.cli import history_again  # see list_

    if options.edit:
        history_again.edit_summary(name, _report(options))
        return
    raise typer.Exit(history_again.compact(name, _report(options), options.load_settings()))


def replay(
    _ctx: typer.Context, name: Message = None, checks: Check = None, *, options: Options
) -> None:
    """Write an answer again from what was kept of it: seed, settings, prompt.

    \b
    llmchat history replay k7m2q.4 --check
    """
    from assistant.cli import history_again  # see list_

    code = history_again.replay_answer(
        name, _report(options), options.load_settings(), checks=bool(checks)
    )
    raise typer.Exit(code)


def stats(_ctx: typer.Context, *, options: Options) -> None:
    """Count conversations, messages and tokens, and what they take on disk.

    \b
    llmchat history stats
    """
    from assistant.cli import history_shown  # see list_

    history_shown.write_stats(_report(options), as_json=options.wants_json)


def _report(options: Options) -> Report:
    return Report(sys.stderr, is_quiet=bool(options.quiet))
