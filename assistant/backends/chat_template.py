"""Messages to what the model reads, through the model's own chat template.

Every message goes in between private marks, so that afterwards it is known where it stands,
that it is there once and unchanged, and which text is the template's own: only that may hold
control tokens. The marks are message_marks', the joining message_turns', the ids
control_tokens', the template's bounds template_sandbox's.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from itertools import chain, groupby, pairwise
from time import monotonic

from assistant.backends.base import Tokenizer
from assistant.backends.control_tokens import ControlTokens, Run, Stretch, encode, mark_spans
from assistant.backends.control_tokens import is_marker as is_marker
from assistant.backends.long_texts import LongTexts
from assistant.backends.message_marks import (
    Content,
    Layout,
    TornMarksError,
    notice_marks,
    read_marks,
    with_blanks,
    without_marks,
)
from assistant.backends.message_turns import Turn, ways
from assistant.backends.part_counts import count_parts
from assistant.backends.template_bounds import TimeUp, TooMuchError
from assistant.backends.template_sandbox import RENDER_SECONDS, BoundedTemplate
from assistant.errors import TemplateError
from assistant.messages import (
    ChatPrompt,
    PartTokens,
    RawPrompt,
    Rendered,
    Role,
    Span,
    TokensInARow,
)

_MAX_QUOTE = 200  # characters of the template's own words
_HINT = "Start a new conversation, or use another model"


class ChatTemplate:
    """One model's template. Immutable: any thread, at any time.

    `fingerprint` is the model's; only answers that carry it are put back as their own ids.
    Raises `TemplateError` when the template does not parse.
    """

    def __init__(self, source: str, tokenizer: Tokenizer, fingerprint: str = "") -> None:
        self._tokenizer = tokenizer
        self._fingerprint = fingerprint
        self._control_tokens = ControlTokens(LongTexts(tokenizer))
        try:
            self._template = BoundedTemplate(source, notice_marks)
        except (Exception, TimeUp) as err:  # a stranger's code raises what it likes
            words = _quote(err) if isinstance(err, Exception) else "it takes too long"
            raise TemplateError(f"the model's chat template cannot be used: {words}") from err

    def render(self, prompt: ChatPrompt) -> Rendered:
        """What the model will read, ready for an answer.

        Raises `TemplateError`, naming the message, when the template refuses the messages,
        drops or changes one, and takes them neither joined nor folded.
        """
        contents = [Content(message, self._control_tokens) for message in prompt.messages]
        layout = _Render(self._template, self._tokenizer, contents, prompt.first_day).lay_out()
        true_tokens = self._control_tokens.find(layout.text, layout.open_stretches)
        fixed = self._past_answers(layout, contents)
        runs = self._control_tokens.tokenize(layout.text, true_tokens, fixed)
        parts, order = count_parts(layout, runs, contents, self._tokenizer)
        ids = tuple(chain.from_iterable(run.token_ids for run in runs))
        return Rendered(mark_spans(layout.text, true_tokens), ids, parts, order)

    def _past_answers(self, layout: Layout, contents: Sequence[Content]) -> list[Run]:
        """Answers of this model that stand in the text as they were written, with their ids."""
        runs = []
        for place, stretch in zip(layout.places, with_blanks(layout, contents), strict=True):
            message, text = contents[place.message].message, contents[place.message].text
            ids, is_ours = message.token_ids, message.fingerprint == self._fingerprint != ""
            if place.is_reasoning or not ids or not is_ours:
                continue
            is_whole = stretch.end - stretch.start == len(text)
            is_text = self._control_tokens.ids.isdisjoint(ids)
            if is_whole and is_text and self._control_tokens.spelt(ids) == encode(text):
                runs.append(Run(stretch.start, stretch.end, ids))
        return runs


def render_raw(prompt: RawPrompt, tokenizer: Tokenizer) -> Rendered:
    """The prompt as it is. Raises `TemplateError` as `ControlTokens.tokenize` does."""
    control_tokens = ControlTokens(LongTexts(tokenizer))
    if prompt.token_ids:
        ids = prompt.token_ids
        spans = tuple(_spans_of_ids(ids, control_tokens))
    else:
        whole = Stretch(0, len(prompt.text))
        true_tokens = control_tokens.find(prompt.text, [whole] if prompt.has_control_tokens else [])
        runs = control_tokens.tokenize(prompt.text, true_tokens, [])
        before, after = tokenizer.frame
        ids = (*before, *(token for run in runs for token in run.token_ids), *after)
        spans = mark_spans(prompt.text, true_tokens)
    parts = (PartTokens(None, "prompt", len(ids)),)
    return Rendered(spans, ids, parts, (TokensInARow(0, len(ids)),))


def _spans_of_ids(ids: Iterable[int], control_tokens: ControlTokens) -> Iterator[Span]:
    for is_control, group in groupby(ids, control_tokens.ids.__contains__):
        if is_control:
            yield from (Span(control_tokens.spelt([token]).decode(), token) for token in group)
        else:
            yield Span(control_tokens.spelt(group).decode(errors="replace"))


class _Refused(Exception):
    """The template does not take these turns: its own words, or the message it lost."""

    def __init__(self, words: str = "", lost: int | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.lost = lost


class _Render:
    """One prompt on its way through the template, as often as it takes, within one second."""

    def __init__(
        self,
        template: BoundedTemplate,
        tokenizer: Tokenizer,
        contents: Sequence[Content],
        first_day: date,
    ) -> None:
        self._template = template
        self._contents = contents
        self._size = sum(len(content.text) + len(content.reasoning) for content in contents)
        self._deadline = monotonic() + RENDER_SECONDS
        now = datetime.combine(first_day, time())
        self._variables = {
            **tokenizer.special_texts,
            "tools": None,
            "documents": None,
            "add_generation_prompt": True,
            "strftime_now": lambda form: now.strftime(str(form)[:100]),
        }

    def lay_out(self) -> Layout:
        """The first of the ways to put the messages that keeps them all."""
        as_they_are = [
            Turn(content.message.role, (number,)) for number, content in enumerate(self._contents)
        ]
        first: _Refused | None = None
        for turns in ways(as_they_are):
            try:
                return self._try(turns)
            except _Refused as refused:
                first = first or refused
        assert first is not None
        raise self._error(as_they_are, first)

    def _try(self, turns: Sequence[Turn]) -> Layout:
        variables = {**self._variables, "messages": [self._as_dict(turn) for turn in turns]}
        try:
            marked = self._template.render(variables, self._size, self._deadline)
        except TimeUp as err:
            message = f"the model's chat template took longer than {RENDER_SECONDS:g} s"
            raise TemplateError(message, _HINT) from err
        except (TooMuchError, MemoryError) as err:
            message = f"the model's chat template asks for too much: {_quote(err)}"
            raise TemplateError(message, _HINT) from err
        except Exception as err:  # a stranger's code raises what it likes
            raise _Refused(_quote(err)) from err
        try:
            layout = read_marks(marked)
        except TornMarksError as err:
            raise _Refused(lost=err.message) from err
        self._check(layout, [number for turn in turns for number in turn.messages])
        return layout

    def _as_dict(self, turn: Turn) -> dict[str, str]:
        contents = [(number, self._contents[number]) for number in turn.messages]
        texts = [content.marked(number) for number, content in contents if content.body]
        content = "\n\n".join(texts) if texts else contents[0][1].text
        message = {"role": turn.role.value, "content": notice_marks(content)}
        thoughts = [c.marked_reasoning(number) for number, c in contents if c.reasoning.strip()]
        if thoughts and turn.role is Role.ASSISTANT:
            message["reasoning_content"] = notice_marks("\n\n".join(thoughts))
            message["thinking"] = message["reasoning_content"]
        return message

    def _check(self, layout: Layout, numbers: Sequence[int]) -> None:
        """Every message once and unchanged, in order but for a system message's place."""
        if not {place.message for place in layout.places} <= set(numbers):
            raise _Refused("it writes private characters")
        found = [place.message for place in layout.places if not place.is_reasoning]
        times = Counter(found)
        for number in numbers:
            if self._contents[number].body and times[number] != 1:
                raise _Refused(lost=number)
        for place in layout.places:
            content = self._contents[place.message]
            wanted = content.reasoning.strip() if place.is_reasoning else content.body
            if layout.text[place.start : place.end] != wanted:
                raise _Refused(lost=place.message)
        is_system = [content.message.role is Role.SYSTEM for content in self._contents]
        for group in (True, False):
            for before, after in pairwise(n for n in found if is_system[n] is group):
                if before > after:
                    raise _Refused(lost=after)

    def _error(self, turns: Sequence[Turn], refused: _Refused) -> TemplateError:
        if not turns:
            return TemplateError(f"the model's chat template needs a message: {refused.words}")
        number = refused.lost
        if number is None:  # the message after the longest beginning that the template takes
            number = next((n for n in range(len(turns) - 1, 0, -1) if self._takes(turns[:n])), 0)
        role = turns[number].role.value
        which = f"message {number + 1} ({role})"
        if refused.words:
            return TemplateError(
                f"the model's chat template refuses {which}: {refused.words}", _HINT
            )
        return TemplateError(f"the model's chat template drops or changes {which}", _HINT)

    def _takes(self, turns: Sequence[Turn]) -> bool:
        try:
            self._try(turns)
        except (_Refused, TemplateError):
            return False
        return True


def _quote(err: Exception) -> str:
    """A template's own words on one line, without marks and control characters."""
    words = "".join(c if c.isprintable() else " " for c in without_marks(str(err)))
    return " ".join(words.split())[:_MAX_QUOTE] or type(err).__name__
