"""Groups of commands: the first words of a command line find their command, or are a question."""

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperCommand

from assistant.cli.own_commands import OWN_COMMANDS, own_command
from assistant.cli.parsing import PlainGroup, prepare
from assistant.cli.report import Report
from assistant.errors import UsageError
from assistant.visible_text import visible

QUESTION = "ask"
IS_MEANT = "llmchat.is_meant"  # in a context's meta: the command was typed, or a -- before it


class QuestionGroup(PlainGroup):
    """Beside its own commands every prompt file is one; any other first word is a question.

    So is whatever stands after `--`.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        typed = _prepared(args, is_strict=not ctx.resilient_parsing)
        super().parse_args(ctx, list(typed))
        words = [*ctx._protected_args, *ctx.args]
        ctx.meta[IS_MEANT] = typed[-len(words) - 1 : -len(words)] == ["--"]
        return ctx.args  # type: ignore[no-any-return]  # the context is Any

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] == "help" and not ctx.meta[IS_MEANT]:
            args = self._asked_for_help(ctx, args)
        ask = self.get_command(ctx, QUESTION)
        own = OWN_COMMANDS.get(args[0])
        if own is None or own.is_for_answers:
            ask_about_project(ctx, args)
        if ctx.meta[IS_MEANT]:
            return QUESTION, ask, ["--", *args]
        command = self.get_command(ctx, args[0])
        if command is None:
            if not ctx.resilient_parsing:
                _refuse_untrusted(args[0])
            return QUESTION, ask, args
        ctx.meta[IS_MEANT] = True
        return args[0], command, args[1:]

    def _asked_for_help(self, ctx: Any, args: list[str]) -> list[str]:
        """`help` and `help COMMAND` are what people type; anything longer is a question."""
        if len(args) == 1:
            typer.echo(ctx.get_help())
            raise typer.Exit
        is_command = len(args) == 2 and self.get_command(ctx, args[1]) is not None
        return [args[1], "--help"] if is_command else args

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Commands win over prompt files of the same name."""
        return (
            super().get_command(ctx, cmd_name)
            or own_command(cmd_name)
            or _command_of_prompt(cmd_name)
        )

    def list_commands(self, _ctx: Any) -> list[str]:
        from assistant.prompts.folders import prompt_names  # not for --version

        return sorted({*OWN_COMMANDS, *prompt_names()} - {QUESTION})

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """What can be done comes before how."""
        self.format_commands(ctx, formatter)
        with formatter.section("Options"):
            records = (param.get_help_record(ctx) for param in self.get_params(ctx))
            formatter.write_dl([record for record in records if record is not None])

    def format_commands(self, _ctx: Any, formatter: Any) -> None:
        own = {name: entry.summary for name, entry in OWN_COMMANDS.items()}
        prompts = {
            name: said for name, said in _summaries().items() if name not in (*own, QUESTION)
        }
        for title, rows in (("Prompts", prompts), ("Commands", own)):
            with formatter.section(title):
                formatter.write_dl([(visible(name), visible(said)) for name, said in rows.items()])

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Names alone: no prompt file is read as a whole, and Rich is not asked to format help."""
        # Private, but what every Typer completion is made of.
        from typer._click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            names = [name for param in self.get_params(ctx) for name in param.opts]
        else:
            names = self.list_commands(ctx)
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def ask_about_project(ctx: Any, args: Sequence[str]) -> None:
    """Before the words are read: the prompts of a project that is trusted are commands, too."""
    is_asking = not (ctx.resilient_parsing or {"-h", "--help", "--no-config"} & {*args})
    if is_asking and not ctx.params["no_config"]:
        from assistant.trust import find_projects  # not for --help

        if not find_projects():
            return
        from assistant.cli.trust_command import settle_trust

        settle_trust(Report(sys.stderr, is_quiet=bool(ctx.params["quiet"])))


def _refuse_untrusted(name: str) -> None:
    """A prompt of a project that is not trusted is no question: its name would be answered."""
    from assistant.trust import find_project

    project = find_project()
    if project and any(file.stem == name for file in project.prompt_files):
        raise UsageError(
            f"{name} is a prompt of {project.folder}, which you do not trust", "llmchat trust"
        )


def _prepared(args: Sequence[str], *, is_strict: bool) -> list[str]:
    try:
        return prepare(list(args))
    except UsageError:
        if is_strict:
            raise
        return list(args)  # a shell asks what may come next: the pair is not whole yet


def _summaries() -> dict[str, str]:
    from assistant.prompts.summaries import prompt_summaries  # not for --version

    found: dict[str, str] = prompt_summaries()
    return found


def _command_of_prompt(name: str) -> TyperCommand | None:
    from assistant.prompts.folders import prompt_names  # not for --version

    if name not in prompt_names():
        return None
    from assistant.cli.command_of_prompt import prompt_command  # not for questions, nor --help
    from assistant.prompts.finding import find_prompt

    return prompt_command(find_prompt(name))
