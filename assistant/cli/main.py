"""The command `llmchat`: registers the commands, and turns every ending into an exit code."""

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from assistant import __version__
from assistant.cli import commands
from assistant.cli.options import join_pairs, shared_options
from assistant.cli.report import INTERRUPTED, Report, leave_pipe
from assistant.errors import AssistantError, UsageError

QUESTION = "ask"


class QuestionGroup(TyperGroup):
    """A first word that is not a command is a question."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if self.get_command(ctx, args[0]) is None:
            return QUESTION, self.get_command(ctx, QUESTION), args
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=QuestionGroup,
    add_completion=False,
    rich_markup_mode=None,  # Rich's help takes longer to import than all of --help
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("explain")(commands.explain)
app.command("generate")(commands.generate)
app.command("complete")(commands.complete)
app.command(QUESTION, hidden=True)(commands.ask)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"llmchat {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
@shared_options
def llmchat(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show it.")
    ] = False,
    *,
    options: Any,
) -> None:
    """A coding assistant that runs on your own machine.

    llmchat "how do I reverse a list in place?"   ask anything

    cat traceback.txt | llmchat "what went wrong?"   standard input comes first
    """
    if ctx.invoked_subcommand is not None:
        return
    if sys.stdin is None or sys.stdin.isatty():
        typer.echo(ctx.get_help())
        raise typer.Exit
    commands.answer_standard_input(options)


def main() -> None:
    """The console script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """The exit code of one command line."""
    report, is_debug = Report(sys.stderr), "--debug" in arguments
    try:
        return app(args=join_pairs(arguments), prog_name="llmchat", standalone_mode=False) or 0
    except AssistantError as err:
        return report.error(err, is_debug=is_debug)
    except TyperException as err:
        return report.error(
            UsageError(err.format_message().rstrip("."), "llmchat --help"), is_debug=is_debug
        )
    except BrokenPipeError:
        return leave_pipe()
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as err:
        return report.error(
            AssistantError(f"cannot write the answer: {err.strerror}"), is_debug=is_debug
        )
    except Exception as err:
        return report.unexpected(err, is_debug=is_debug)
