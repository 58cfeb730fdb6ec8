"""The command `llmchat`, and every ending of it as an exit code."""

import os
import sys
from itertools import takewhile
from typing import Annotated

import typer
from typer.exceptions import TyperException

from assistant import __version__
from assistant.cli import ask_command, chat_command
from assistant.cli.completions import VARIABLE
from assistant.cli.exit_codes import OK
from assistant.cli.groups import QuestionGroup, ask_about_project
from assistant.cli.options import Options
from assistant.cli.parsing import FORM, PlainCommand, shared_options
from assistant.cli.report import Report, give_up_stdout
from assistant.errors import AssistantError, UsageError

app = typer.Typer(
    **FORM,
    cls=QuestionGroup,
    pretty_exceptions_enable=False,
    subcommand_metavar="QUESTION | COMMAND …",
)
app.command("ask", cls=PlainCommand, hidden=True)(shared_options(ask_command.ask))


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"llmchat {__version__}")
        raise typer.Exit


Version = Annotated[
    bool,
    typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
]


@app.callback(invoke_without_command=True)
@shared_options
def llmchat(ctx: typer.Context, _version: Version = False, *, options: Options) -> None:
    """A coding assistant that runs on your own machine.

    \b
    llmchat
    llmchat "how do I reverse a list in place?"
    cat traceback.txt | llmchat "what went wrong?"
    llmchat explain src/app.py::Config.load
    """
    if ctx.invoked_subcommand is not None:
        return
    if chat_command.wants_chat(options):
        ask_about_project(ctx, [])
        chat_command.open_chat("", options)
    else:
        ask_about_project(ctx, [])
        ask_command.ask(ctx, options=options)


def run(arguments: list[str]) -> int:
    """The exit code of one command line. The only place that catches everything."""
    report = Report(sys.stderr)
    is_debug = "--debug" in takewhile(lambda argument: argument != "--", arguments)
    try:
        if sys.stdout is None:
            raise AssistantError("standard output is closed", "send it somewhere: > FILE")
        code = _run(arguments)
        sys.stdout.flush()
        return code
    except AssistantError as err:
        return report.error(err, is_debug=is_debug)
    except TyperException as err:
        return report.error(_usage_error(err), is_debug=is_debug)
    except OSError as err:
        return _broken_stream(err, report, is_debug=is_debug)
    except Exception as err:
        return report.unexpected(err, is_debug=is_debug)


def _run(arguments: list[str]) -> int:
    command = typer.main.get_command(app)
    if VARIABLE in os.environ:
        from assistant.cli.completion_command import complete  # only a shell wants it

        return complete(command, os.environ[VARIABLE])
    try:
        # Calling the command would hide from us that a pipe was closed.
        with command.make_context("llmchat", arguments) as ctx:
            command.invoke(ctx)
    except typer.Exit as end:
        return end.exit_code
    return OK


def _broken_stream(err: OSError, report: Report, *, is_debug: bool) -> int:
    code = give_up_stdout()
    if isinstance(err, BrokenPipeError):
        return code  # the reader has had enough: nothing is wrong
    if err.filename is not None:
        return report.unexpected(err, is_debug=is_debug)
    error = AssistantError(f"cannot write the answer: {err.strerror or err}")
    return report.error(error, is_debug=is_debug)


def _usage_error(err: TyperException) -> UsageError:
    """Typer's errors in our words; its classes are private, so we look at what they carry."""
    context = getattr(err, "ctx", None)
    command = context.command_path if context is not None else "llmchat"
    option, see_help = getattr(err, "option_name", None), f"{command} --help"
    if option is None:
        message = err.format_message().rstrip(".")
        message = message.replace("Got unexpected extra argument(s)", f"{command}: too many words")
        return UsageError(message, see_help)
    if not hasattr(err, "possibilities"):
        return UsageError(f"{option} needs a value", see_help)
    if err.possibilities:
        return UsageError(f"there is no option {option}", f"did you mean {err.possibilities[0]}?")
    hint = f"{see_help}; a question that begins with - goes after --"
    return UsageError(f"there is no option {option}", hint)
