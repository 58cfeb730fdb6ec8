"""A bounded Jinja environment for chat templates, which are code from strangers.

Same dialect as transformers' (sandboxed, immutable, `{% generation %}`, `tojson`,
`raise_exception`), but no template can take longer than a second, write or hold much more
than it was given, or reach a filter that has no use in a chat.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from itertools import islice
from time import monotonic
from typing import Any

import jinja2.ext
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.filters import do_indent, do_round
from jinja2.parser import Parser
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

from assistant.backends.template_bounds import MAX_ITEMS, Budget, TooMuchError, run_within

RENDER_SECONDS = 1.0
COMPILE_SECONDS = 5.0
MAX_SOURCE = 1 << 20  # characters of a template
MAX_INT_BITS = 4096

# Filters that cannot make much of little; all others are refused where they are used.
_FILTERS = (
    *("abs", "attr", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first"),
    *("float", "groupby", "int", "items", "last", "length", "lower", "map", "max", "min"),
    *("reject", "rejectattr", "reverse", "safe", "select", "selectattr", "sort", "title"),
    *("trim", "truncate", "unique", "upper", "wordcount"),
)
_GLOBALS = ("range", "cycler", "joiner")
_REFUSED_METHODS = frozenset(
    {"center", "ljust", "rjust", "zfill", "expandtabs", "translate", "maketrans", "encode"}
    | {"format_map", "fromkeys", "to_bytes", "from_bytes"}
)
_WIDE_PERCENT = re.compile(r"%(?:\([^)]*\))?[^a-zA-Z%]*(?:\*|\d{4})")
_WIDE_FORMAT = re.compile(r"\{[^{}]*:[^{}]*(?:\{|\d{4})")
_MAX_FIELD = 1000  # characters of a padded field, as the two patterns allow
_MAX_MARGIN = 64  # characters of an indent


class _CodeGenerator(CodeGenerator):
    """Sends `~` and literal containers through the environment, as the binary operators are."""

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802 - jinja's name
        self.write("environment.join_texts((")
        for child in node.nodes:
            self.visit(child, frame)
            self.write(", ")
        self.write("))")

    def _counted(
        self, visit: Callable[..., None], node: nodes.Node, frame: Frame, take: str = "take"
    ) -> None:
        self.write(f"environment.budget.{take}(")
        visit(node, frame)
        self.write(")")

    def visit_List(self, node: nodes.List, frame: Frame) -> None:  # noqa: N802
        self._counted(super().visit_List, node, frame)

    def visit_Tuple(self, node: nodes.Tuple, frame: Frame) -> None:  # noqa: N802
        is_target = node.ctx == "store"
        if is_target:
            super().visit_Tuple(node, frame)
        else:
            self._counted(super().visit_Tuple, node, frame)

    def visit_Getitem(self, node: nodes.Getitem, frame: Frame) -> None:  # noqa: N802
        if isinstance(node.arg, nodes.Slice):
            self._counted(super().visit_Getitem, node, frame, "take_slice")
        else:
            super().visit_Getitem(node, frame)

    def visit_Dict(self, node: nodes.Dict, frame: Frame) -> None:  # noqa: N802
        self._counted(super().visit_Dict, node, frame)


class _Generation(jinja2.ext.Extension):
    """`{% generation %}…{% endgeneration %}` marks what a model wrote; here it means nothing."""

    tags = {"generation"}  # noqa: RUF012 - declared so by jinja

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.Scope(body, lineno=line)


class _Namespace(Namespace):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        for name, value in dict(*args, **kwargs).items():
            self[name] = value

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(name, str) and name.startswith("_"):
            raise SecurityError(f"a namespace cannot hold {name!r}")
        super().__setitem__(name, value)


class Sandbox(ImmutableSandboxedEnvironment):
    """The environment of one template. `budget` belongs to the render of the calling thread.

    `read_text` wraps every text that the template puts together, so that a caller's subclass
    of str survives macros and trimming.
    """

    code_generator_class = _CodeGenerator
    intercepted_binops = frozenset({"+", "*", "%", "**"})

    def __init__(self, read_text: Callable[[str], str] = str) -> None:
        self.budget = Budget()
        self.read_text = read_text
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[_Generation, jinja2.ext.loopcontrols],
            finalize=self._print,
        )
        ours = {"tojson": self._tojson, "join": self._join, "replace": self._replace}
        ours |= {"string": self._string, "indent": self._indent, "list": self._list}
        ours |= {"round": _round}
        refused = {name: _refused_filter(name) for name in self.filters}
        usual = {name: self._counted(self.filters[name]) for name in _FILTERS}
        self.filters = refused | usual | ours
        self.globals = {name: self.globals[name] for name in _GLOBALS}
        self.globals |= {"dict": self._dict, "namespace": _Namespace, "raise_exception": _refuse}

    def concat(self, texts: Iterable[str]) -> str:
        pieces, room = [], min(self.budget.output, self.budget.work)
        for text in texts:
            room -= len(text)
            if room < 0:
                raise TooMuchError("the template writes too much")
            pieces.append(text)
        return self.read_text(self.budget.take("".join(pieces)))

    def join_texts(self, values: tuple[Any, ...]) -> str:
        return self._join(values)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        match operator:
            case "%" if isinstance(left, str):
                values = right if isinstance(right, tuple) else (right,)
                self._check_format(_WIDE_PERCENT, left, values)
            case "*" if not _is_number(left) or not _is_number(right):
                self._check_repeat(left, right)
            case "**" | "*" if isinstance(left, int) and isinstance(right, int):
                bits = left.bit_length() * (abs(right) if operator == "**" else 1)
                if bits + right.bit_length() > MAX_INT_BITS:
                    raise TooMuchError("the template computes with huge numbers")
            case "+" if hasattr(left, "__len__") and hasattr(right, "__len__"):
                self.budget.spend(len(left) + len(right))
        result = super().call_binop(context, operator, left, right)
        return self.read_text(result) if isinstance(result, str) else self.budget.take(result)

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        owner, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
        if name in _REFUSED_METHODS:
            raise SecurityError(f"{name} is not available in a chat template")
        if isinstance(owner, str):
            if name == "join" and len(args) == 1:
                return self._join(args[0], owner)
            self._check_method(owner, name, args)
        result = self.budget.take(super().call(context, obj, *args, **kwargs))
        return self.read_text(result) if isinstance(result, str) else result

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        wrapped = super().wrap_str_format(value)
        if wrapped is None:
            return None

        def bounded(*args: Any, **kwargs: Any) -> str:
            self._check_format(_WIDE_FORMAT, value.__self__, (*args, *kwargs.values()))
            return self.read_text(wrapped(*args, **kwargs))

        bounded.__name__ = value.__name__
        return bounded

    def _check_method(self, owner: str, name: str, args: tuple[Any, ...]) -> None:
        if name == "replace" and len(args) > 1:
            self._check_replace(owner, str(args[0]), str(args[1]))
        elif "split" in name and len(owner) > MAX_ITEMS:
            separator = args[0] if args and isinstance(args[0], str) else None
            pieces = owner.count(separator) if separator else len(owner) // 2
            self.budget.spend(64 * pieces)

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def counted(*args: Any, **kwargs: Any) -> Any:
            result = self.budget.take(function(*args, **kwargs))
            return self.read_text(result) if type(result) is str else result

        return counted

    def _check_replace(self, text: str, old: str, new: str) -> None:
        self.budget.spend(len(text) + text.count(old) * len(new))

    def _check_repeat(self, left: Any, right: Any) -> None:
        times, value = (left, right) if isinstance(left, int) else (right, left)
        if isinstance(times, int) and not isinstance(value, int | float):
            self.budget.spend(max(times, 0) * sum(self.budget.weigh(value)))

    def _check_format(self, is_wide: re.Pattern[str], text: str, values: tuple[Any, ...]) -> None:
        if is_wide.search(text):
            raise TooMuchError("the template pads text to a large width")
        longest = max((sum(self.budget.weigh(value)) for value in values), default=0)
        fields = text.count("{") + text.count("%")
        self.budget.spend(len(text) + fields * (longest + _MAX_FIELD))

    def _print(self, value: Any) -> Any:
        if not isinstance(value, str):
            self.budget.spend(sum(self.budget.weigh(value)))
        return value

    def _string(self, value: Any) -> str:
        return value if isinstance(value, str) else str(self._print(value))

    def _join(self, values: Iterable[Any], d: str = "", attribute: Any = None) -> str:
        if attribute is not None:
            values = (self.getitem(value, attribute) for value in values)
        pieces = []
        for value in values:
            pieces.append(self._string(value))
            self.budget.spend(len(pieces[-1]) + len(d))
        return self.read_text(d.join(pieces))

    def _list(self, values: Iterable[Any]) -> list[Any]:
        items = list(islice(values, MAX_ITEMS))
        if len(items) == MAX_ITEMS:
            raise TooMuchError("the template makes too long a list")
        self.budget.spend(8 * len(items))
        return items

    def _dict(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return self.budget.take(dict(*args, **kwargs))  # type: ignore[no-any-return]

    def _replace(self, value: Any, old: str, new: str, count: int = -1) -> str:
        text = self._string(value)
        self._check_replace(text, str(old), str(new))
        return self.read_text(text.replace(old, new, -1 if count is None else count))

    def _indent(self, value: Any, width: Any = 4, *args: Any, **kwargs: Any) -> str:
        text = self._string(value)
        margin = _check_margin(width)
        self.budget.spend(len(text) + (len(text.splitlines()) + 1) * margin)
        return self.read_text(do_indent(text, width, *args, **kwargs))

    def _tojson(self, value: Any, *, ensure_ascii: bool = False, **options: Any) -> str:
        _check_margin(options.get("indent") or 0)
        self.budget.weigh(value)
        pieces = []
        for piece in json.JSONEncoder(ensure_ascii=ensure_ascii, **options).iterencode(value):
            self.budget.spend(len(piece))
            pieces.append(piece)
        return self.read_text("".join(pieces))


class BoundedTemplate:
    """A compiled template. Raises jinja's and Python's own errors, and `TimeUp`."""

    def __init__(self, source: str, read_text: Callable[[str], str] = str) -> None:
        if len(source) > MAX_SOURCE:
            raise TooMuchError("the template is too long")
        self._sandbox = Sandbox(read_text)
        self._template = run_within(COMPILE_SECONDS, lambda: self._sandbox.from_string(source))

    def render(self, variables: Mapping[str, Any], size: int, deadline: float) -> str:
        """The text; `size` in characters of all messages, `deadline` on the monotonic clock."""
        self._sandbox.budget.reset(size)
        return run_within(deadline - monotonic(), lambda: self._template.render(variables))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | Undefined)


def _check_margin(width: object) -> int:
    margin = len(width) if isinstance(width, str) else int(str(width))
    if margin > _MAX_MARGIN:
        raise TooMuchError("the template indents by a large width")
    return margin


def _refused_filter(name: str) -> Callable[..., None]:
    def refuse(*_: Any, **__: Any) -> None:
        raise SecurityError(f"the filter {name} is not available in a chat template")

    return refuse


def _round(value: float, precision: int = 0, method: Any = "common") -> float:
    return do_round(value, max(-20, min(precision, 20)), method)


def _refuse(message: str) -> None:
    raise JinjaError(str(message))
