"""Jinja templates of prompt files, in a sandbox; what is wrong with one names file and line."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from assistant.config import nearest
from assistant.errors import UsageError

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2 import Template as Compiled

PLACE = re.compile(r"\{\{ *([a-z][a-z0-9_]*) *\}\}")
BEYOND_PLACES = ("{{", "{%", "{#", "\r")


class Template(Struct, frozen=True):
    """A template and where it stands: `line` is that of its first line in the file."""

    text: str
    path: Path
    line: int = 1

    def check(self, names: Collection[str]) -> None:
        """Raises `UsageError` when it is no template, or uses other variables than `names`."""
        self._compile(names)

    def render(self, values: Mapping[str, object]) -> str:
        """Raises `UsageError` for whatever an expression of the template raises."""
        if (text := self._filled_in(values)) is not None:
            return text
        compiled = self._compile(values)
        try:
            return compiled.render(values)
        except Exception as err:
            raise self._wrong(err, _line_of(err)) from err

    def _filled_in(self, values: Mapping[str, object]) -> str | None:
        """As Jinja would, which takes 40 ms to import, where all it had to do is put values into
        their places; None where there is more to do."""
        rest = PLACE.sub("", self.text)
        names = PLACE.findall(self.text)
        if any(mark in rest for mark in BEYOND_PLACES) or not values.keys() >= {*names}:
            return None
        return PLACE.sub(lambda place: str(values[place[1]]), self.text.removesuffix("\n"))

    def _compile(self, names: Collection[str]) -> "Compiled":
        from jinja2 import StrictUndefined, TemplateSyntaxError  # takes 40 ms, beside loading
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined
        )
        try:
            self._check_names(environment, names)
            return environment.from_string(self.text)
        except TemplateSyntaxError as err:
            raise self._wrong(err, err.lineno) from err
        except (RecursionError, MemoryError, OverflowError, SyntaxError) as err:
            raise self._wrong(err, 1) from err

    def _check_names(self, environment: "Environment", names: Collection[str]) -> None:
        from jinja2.meta import find_undeclared_variables
        from jinja2.nodes import Name

        tree = environment.parse(self.text)
        unknown = find_undeclared_variables(tree) - {*names, *environment.globals}
        for node in tree.find_all(Name):
            if node.name in unknown:
                place = f"{self.path}, line {self.line + node.lineno - 1}"
                raise UsageError(
                    f"{place}: there is no variable {node.name[:80]}", nearest(node.name, names)
                )

    def _wrong(self, err: Exception, line: int) -> UsageError:
        reason = str(err).partition("\n")[0] or type(err).__name__
        return UsageError(
            f"{self.path}, line {self.line + line - 1}: {reason}", "correct its template"
        )


def _line_of(err: Exception) -> int:
    """The template's line in which an error was raised: Jinja puts it into the traceback."""
    line, step = 1, err.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename == "<template>":
            line = step.tb_lineno
        step = step.tb_next
    return line
