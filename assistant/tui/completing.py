"""When the picker is open, for what, and what taking a choice does to the text."""

from collections.abc import Callable, Sequence
from enum import StrEnum

from msgspec import Struct

from assistant.attachments.measuring import CountTokens
from assistant.attachments.mentions import mention_being_typed
from assistant.tui.background import Background
from assistant.tui.command_choices import CommandChoices, CompleteCommands
from assistant.tui.mention_choices import MentionChoices
from assistant.tui.widgets.draft_area import DraftArea
from assistant.tui.widgets.picker import Choice, Picker

HINT = "Tab takes · Esc closes"
SHELL = "!"
COMMAND = "/"


class Kind(StrEnum):
    MENTION = "mention"
    COMMAND = "command"


class Target(Struct, frozen=True):
    """What could be completed: it begins at `start`, and `typed` is what there is of it."""

    kind: Kind
    start: int
    typed: str


def target_before(before: str) -> Target | None:
    """What is being typed at the end of this text."""
    if before.startswith(SHELL):
        return None
    mention = mention_being_typed(before)
    if mention is not None:
        return Target(Kind.MENTION, mention.start, mention.name)
    if before.startswith(COMMAND) and "\n" not in before:
        return Target(Kind.COMMAND, 0, before)
    return None


class Completing:
    """Brings the text and the picker together. `on_news` is called in a thread."""

    def __init__(
        self,
        draft: DraftArea,
        picker: Picker,
        complete_commands: CompleteCommands,
        count_tokens: CountTokens,
        on_news: Callable[[], None],
    ) -> None:
        self._draft = draft
        self._picker = picker
        self._background = Background()
        self._mentions = MentionChoices(count_tokens, on_news, self._background)
        self._commands = CommandChoices(complete_commands, on_news, self._background)
        self._begun: tuple[Kind, int] | None = None  # what the picker was last opened for
        self._dismissed: tuple[Kind, int] | None = None
        self._shown: Target | None = None
        self._measured: tuple[str, ...] = ()
        self._awaits_news = False

    def stop(self) -> None:
        self._background.close()

    # ── what happens ────────────────────────────────────────────────────────────────────────

    def text_changed(self) -> None:
        if not self._is_shown():
            self._refresh(may_open=self._draft.is_typed)

    def cursor_moved(self) -> None:
        if not self._is_shown():
            self._refresh(may_open=False)

    def news_came(self) -> None:
        self._refresh(may_open=self._awaits_news)

    def take_key(self, key: str) -> bool:
        """Whether the key was for the picker."""
        if key == "tab" and not self._picker.is_open:
            self._open_now()
            if len(self._picker.shown) > 1:
                return True
        if self._picker.is_open and not self._is_shown():
            self._open_now()  # the key came before the message that the text changed
        if self._shown is None or not self._is_shown():
            if self._picker.is_open:
                self.close()
            return False
        match key:
            case "up" | "down":
                self._picker.move(-1 if key == "up" else 1)
                self._measure()
            case "pageup" | "pagedown":
                self._picker.page(-1 if key == "pageup" else 1)
                self._measure()
            case "escape":
                self._dismissed = self._shown.kind, self._shown.start
                self.close()
            case "enter" if self._picker.chosen.insert.rstrip() == self._typed(self._shown):
                self.close()
                return False  # there is nothing to add: it is sent
            case "enter" | "tab":
                self.take(goes_on=key == "tab")
            case _:
                return False
        return True

    def take(self, *, goes_on: bool = False) -> None:
        """Puts the chosen one into the text. `goes_on`: a folder is not the end, if it is one."""
        if self._shown is None:
            return
        choice, target = self._picker.chosen, self._shown
        goes_on = choice.goes_on and (goes_on or target.kind is Kind.COMMAND)
        replaced = len(self._draft.before_cursor) - target.start
        self.close()
        if target.kind is Kind.COMMAND:
            self._draft.put(choice.insert, replacing=replaced)
        elif goes_on:
            self._draft.put(choice.insert.removesuffix('"'), replacing=replaced)
        else:
            self._put_mention(choice, replaced)
        self._draft.is_typed = goes_on

    def close(self) -> None:
        self._picker.close()
        self._shown, self._measured, self._awaits_news = None, (), False

    # ── inside ──────────────────────────────────────────────────────────────────────────────

    def _is_shown(self) -> bool:
        """Whether the picker is open for just what stands there."""
        if self._shown is None:
            return False
        return self._picker.is_open and self._shown == target_before(self._draft.before_cursor)

    def _put_mention(self, choice: Choice, replaced: int) -> None:
        has_blank = self._draft.after_cursor[:1].isspace()
        self._draft.put(choice.insert + " " * (not has_blank), replacing=replaced)
        if not has_blank:
            self._draft.expect_punctuation()
        self._mentions.used([choice.name])

    def _typed(self, target: Target) -> str:
        return self._draft.before_cursor[target.start :].rstrip()

    def _refresh(self, *, may_open: bool) -> None:
        target = target_before(self._draft.before_cursor)
        if target is None:
            self._begun = self._dismissed = None
            self.close()
        elif (target.kind, target.start) == self._dismissed:
            self.close()
        elif self._picker.is_open or may_open:
            self._dismissed = None
            self._show(target, self._choices(target))

    def _open_now(self) -> None:
        """Tab asks for it, whatever was closed before."""
        target = target_before(self._draft.before_cursor)
        if target is None:
            return
        self._dismissed = None
        choices = self._choices(target)
        if choices is None and target.kind is Kind.COMMAND:
            choices = self._commands.choices_now(target.typed)
        self._show(target, choices)

    def _choices(self, target: Target) -> Sequence[Choice] | None:
        source = self._commands if target.kind is Kind.COMMAND else self._mentions
        if self._begun != (target.kind, target.start):
            self._begun = target.kind, target.start
            source.begin()
        return source.choices(target.typed)

    def _show(self, target: Target, choices: Sequence[Choice] | None) -> None:
        if choices is None:
            self._awaits_news = True
        elif not choices:
            self.close()
            self._awaits_news = True  # a file may be new
        else:
            self._awaits_news = False
            self._picker.open(choices, HINT, keeps_place=self._shown == target)
            self._shown = target
            self._measure()

    def _measure(self) -> None:
        """The sizes of what can be seen, unless they were asked for already."""
        if self._shown is None or self._shown.kind is not Kind.MENTION:
            return
        shown, chosen = self._picker.shown, self._picker.chosen
        wanted = (chosen.name, *(choice.name for choice in shown))
        if wanted != self._measured:
            self._measured = wanted
            self._mentions.measure(shown, chosen)
