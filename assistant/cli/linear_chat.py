"""The chat as plain lines, for screen readers, dumb terminals and pipes: nothing is redrawn.

Answers go to standard output, everything else to standard error.
"""

import gc
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress

from assistant.chat_commands.chat import Chat, open_chosen_engine
from assistant.chat_commands.commands import (
    complete,
    is_command,
    needs_model,
    question_text,
    run_command,
)
from assistant.chat_commands.effects import (
    AnswerAgain,
    Ask,
    AttachmentsChanged,
    Compact,
    ConversationChanged,
    CopyText,
    EditQuestion,
    Effect,
    Leave,
    Loading,
    ModelChanged,
    Say,
    ShowHistory,
    ShowTable,
    ThemeChosen,
    WriteFile,
)
from assistant.chat_commands.engine_in_use import OpenEngine
from assistant.chat_commands.hints import in_chat
from assistant.chat_commands.saving import write
from assistant.chat_commands.wording import counted
from assistant.chat_commands.written_questions import rewritten, written_question
from assistant.cli.asking import require_approval
from assistant.cli.color import moves_cursor
from assistant.cli.exit_codes import INTERRUPTED, OK
from assistant.cli.line_reading import (
    LEAVING,
    PipedLines,
    TypedLines,
    leaving_in_order,
    read_entry,
)
from assistant.cli.linear_answers import ChatReport, LinearAnswers
from assistant.cli.options import Options
from assistant.cli.report import Report
from assistant.cli.spoken_progress import SpokenProgress, wait_for_model
from assistant.config import Settings
from assistant.conversation.message_names import MessageName
from assistant.conversation.questions import Question
from assistant.conversation.session import Turn
from assistant.errors import AssistantError, InputError, UsageError
from assistant.events import ModelLoading
from assistant.messages import Attachment
from assistant.rendering.conversation_facts import title_of
from assistant.rendering.ledger_text import ledger_lines
from assistant.rendering.tables import table_lines
from assistant.visible_text import visible


def run_linear(
    text: str,
    attachments: Sequence[Attachment],
    options: Options,
    settings: Settings,
    report: Report,
    *,
    resume: MessageName | None = None,
    open_engine: OpenEngine = open_chosen_engine,
) -> int:
    """Until the user leaves or standard input ends; the exit code.

    `text` is asked first, with the attachments; else these wait for the first question. Where
    nobody types, the code is that of the first line that went wrong. Raises `InputError` when
    there is nothing to `resume`.
    """
    gc.enable()
    chat = Chat(settings, resume=resume, has_notes=not options.no_config, open_engine=open_engine)
    with closing(chat), leaving_in_order():
        chat.attachments = tuple(attachments)
        lines = _Lines(chat, options, report)
        code = lines.run(text, shows_history=bool(options.resume))
        lines.say_what_stays()
        return code


class _Lines:
    """What is typed is done, line by line."""

    def __init__(self, chat: Chat, options: Options, report: Report) -> None:
        self._chat = chat
        self._options = options
        self._shell_report = report
        self._report = ChatReport(
            report.err, is_quiet=report.is_quiet, is_verbose=bool(options.verbose)
        )
        self._progress = SpokenProgress(self._note)
        self._answers = LinearAnswers(self._report, self._progress)
        self._loading: Iterator[ModelLoading] | None = None
        self._is_loaded = False
        self._code = OK
        self._is_over = False
        self._edited: tuple[Question, int] | None = None
        self._typed: TypedLines | None = None
        if sys.stdin.isatty():
            self._typed = TypedLines(self._offered, is_kept=chat.settings.history)
        piped = PipedLines(sys.stdin.buffer, chat.settings.max_input)
        self._read_line: Callable[[str], str | None] = self._typed or piped

    def run(self, text: str, *, shows_history: bool) -> int:
        self._do(self._begin_loading)
        if self._typed is not None:
            self._note("type a question; /help lists the commands, Ctrl-D leaves")
        if shows_history:
            self._do(lambda: self._run("/history"))
        if text.strip():
            self._do(lambda: self._ask_text(text))
        was_interrupted = False
        while not self._is_over:
            try:
                entry = read_entry(self._read_line)
            except KeyboardInterrupt:
                self._edited = None
                self._report.text("")
                if was_interrupted:
                    break
                was_interrupted = True
                self._note("Ctrl-C once more leaves, and so does Ctrl-D")
                continue
            except AssistantError as err:  # what came in a pipe cannot be read to its end
                return self._fail(err)
            was_interrupted = False
            if entry is None:
                break
            if entry.strip():
                self._do(lambda line=entry: self._run(line))  # type: ignore[misc]
        was_ended = self._answers.ended_by in LEAVING.values()
        return OK if self._typed is not None and not was_ended else self._code

    def say_what_stays(self) -> None:
        if self._shell_report.wants_notes and (kept := self._chat.kept) is not None:
            from assistant.cli.outcome import kept_words

            self._shell_report.note(kept_words(kept))

    # ── one line ────────────────────────────────────────────────────────────────────────────

    def _do(self, work: Callable[[], None]) -> None:
        """What goes wrong is said, and the chat goes on."""
        try:
            work()
        except AssistantError as err:
            self._fail(err)
        except KeyboardInterrupt:
            self._code = self._code or INTERRUPTED
            self._note("stopped")
        if self._answers.ended_by in LEAVING.values():
            self._code, self._is_over = self._answers.ended_by or OK, True
        for notice in self._chat.new_notices():
            self._report.warning(notice)

    def _fail(self, error: AssistantError) -> int:
        code = self._report.error(in_chat(error), is_debug=bool(self._options.debug))
        self._code = self._code or code
        return code

    def _run(self, line: str) -> None:
        edited, self._edited = self._edited, None
        if needs_model(line):
            self._wait_for_model()
        if not is_command(line):
            self._ask_text(question_text(line), edited)
            return
        with closing(run_command(self._chat, line)) as effects:
            for effect in effects:
                self._act(effect)

    def _ask_text(self, text: str, edited: tuple[Question, int] | None = None) -> None:
        self._wait_for_model()
        if edited is None:
            written, instead_of = written_question(self._chat, text), None
        else:
            written, instead_of = rewritten(self._chat, edited[0], text), edited[1]
        for notice in written.notices:
            self._report.warning(notice)
        self._ask(written.question, instead_of=instead_of)

    # ── what a command wants ────────────────────────────────────────────────────────────────

    def _act(self, effect: Effect) -> None:
        match effect:
            case Say(text):
                self._report.text(visible(text))
            case ShowTable():
                self._show(effect)
            case ShowHistory(_, table):
                self._show(table)
            case Ask(question, instead_of):
                self._wait_for_model()
                self._ask(question, instead_of=instead_of)
            case AnswerAgain(number, candidates):
                self._wait_for_model()
                self._answer(self._chat.again(number, candidates))
            case EditQuestion(question, number):
                self._edit(question, number)
            case Compact(compaction):
                self._answers.compact(compaction, "")
            case ConversationChanged():
                self._report.text(visible(self._where()))
            case CopyText(text, what):
                self._copy(text, what)
            case WriteFile(proposal, asked):
                is_free = not asked or bool(self._options.yes)
                require_approval(asked, is_given=is_free, hint="give it another name")
                self._report.text(visible(write(proposal)))
            case Loading(event):
                self._progress.show(event)
            case ModelChanged(name):
                self._is_loaded, self._loading = True, None
                self._note(f"{name} answers from now on")
            case AttachmentsChanged() | ThemeChosen():
                pass  # a table tells what is attached; lines have no colours
            case Leave():
                self._is_over = True

    def _show(self, table: ShowTable) -> None:
        """Whole lines: who listens to them cannot look for what was cut."""
        lines = table_lines(table.rows, right=table.right)
        title = [visible(f"{table.title}:")] if table.title else []
        self._report.text("\n".join([*title, *lines]))

    def _where(self) -> str:
        conversation = self._chat.conversation
        if conversation is None:
            return "a new conversation"
        messages = counted(len(self._chat.messages), "message")
        return f"{conversation.name}, {title_of(conversation)}: {messages}"

    def _copy(self, text: str, what: str) -> None:
        from assistant.tui.clipboard import fits_terminal, give_to_system  # few copy from here

        is_given = give_to_system(text)
        if sys.stdout.isatty() and moves_cursor() and fits_terminal(text):
            data = b64encode(text.encode("utf-8", "replace")).decode()
            sys.stdout.write(f"\x1b]52;c;{data}\a")  # asks the terminal to take it
            sys.stdout.flush()
        elif not is_given:
            raise UsageError("there is no clipboard here", "/save FILE")
        self._report.done(f"copied {what}, {counted(len(text), 'character')}")

    def _edit(self, question: Question, number: int) -> None:
        """One line is edited where the next is typed, several in the editor."""
        if self._typed is None:
            raise InputError("nobody can edit the question here", "/edit TEXT")
        if "\n" not in question.text:
            self._edited = question, number
            self._typed.begin_with(question.text)
            return
        from assistant.editor import compose  # few want it

        text = compose(question.text).strip()
        if text:
            self._ask_text(text, (question, number))

    # ── asking ──────────────────────────────────────────────────────────────────────────────

    def _ask(self, question: Question, *, instead_of: int | None = None) -> None:
        if self._options.show_context and instead_of is None:
            for line in ledger_lines(self._chat.take_stock(question)):
                self._report.detail(line)
        compaction = self._chat.compaction(question) if instead_of is None else None
        if compaction is not None and not self._answers.compact(
            compaction, "the window is nearly full: "
        ):
            return
        self._answer(self._chat.ask(question, instead_of=instead_of))

    def _answer(self, turn: Turn) -> None:
        code = self._answers.show(turn, self._chat.engine, self._chat.settings)
        self._code = self._code or code

    def _begin_loading(self) -> None:
        self._loading = self._chat.load()

    def _wait_for_model(self) -> None:
        """Who gave loading up, or saw it fail, begins again with the next question."""
        if self._is_loaded:
            return
        loading, self._loading = self._loading, None
        if loading is None or not self._chat.is_loading:
            loading = self._chat.load()
        wait_for_model(loading, self._progress, self._note)
        self._is_loaded = True

    def _note(self, words: str) -> None:
        """For a person who reads along."""
        if self._report.wants_notes:
            self._report.done(words)

    def _offered(self, line: str) -> list[str]:
        with suppress(AssistantError):
            return [choice.text for choice in complete(self._chat, line)]
        return []
