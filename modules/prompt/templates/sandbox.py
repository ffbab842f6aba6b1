"""The Jinja environment of one rendering: text work only, bounded and counted in steps."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import monotonic, thread_time
from typing import Any, Final, TypeVar

from jinja2 import nodes
from jinja2.exceptions import SecurityError, TemplateRuntimeError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer
from typing_extensions import override

from modules.prompt.templates.shape import BrokenArguments

# Turns of loops and macro calls: some for each message, so that long conversations stay far below.
MAX_STEPS: Final = 500_000
# Steps differ in what they cost; this bounds them together, in processor time: a busy machine makes no template dearer.
MAX_SECONDS: Final = 3.0
# Longer than the text of the longest contexts.
MAX_TEXT: Final = 8_000_000
MAX_ITEMS: Final = 500_000
# `10 ** 10 ** 10` would not return, and no step is counted within it.
_MAX_BITS: Final = 512
_MAX_NODES: Final = 100_000

_OF_TEXT: Final = (
    "capitalize count endswith find format index isalnum isalpha isascii isdecimal isdigit islower isnumeric isspace "
    "istitle isupper join lower lstrip partition removeprefix removesuffix replace rfind rindex rpartition rsplit "
    "rstrip split splitlines startswith strip swapcase title upper"
)
_METHODS: Final = {
    BrokenArguments: frozenset({"items", *_OF_TEXT.split()}),
    str: frozenset(_OF_TEXT.split()),
    dict: frozenset({"copy", "get", "items", "keys", "values"}),
    list: frozenset({"append", "copy", "count", "index", "pop"}),
    tuple: frozenset({"count", "index"}),
    int: frozenset[str](),
    float: frozenset({"is_integer"}),
    bytes: frozenset[str](),
}
_OF_JINJA: Final = frozenset({"_loop_vars", "_block_vars"})
# A width of billions fills the memory in one step.
_WIDE_FIELD: Final = re.compile(
    r"%(\([^)]*\))?[-+ #0]*(\*|\d{4,}|\d*\.(\*|\d{4,}))"  # of the % operator
    r"|\{[^{}]*:[^{}]*(\{|\d{4,})"  # of str.format
)


class TemplateExhausted(TemplateRuntimeError):
    """The template does more work, or makes more text, than any conversation needs."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Renders once: `overlay` a prepared one and `begin`, which starts the budget of steps and time.

    A template may add to lists that it made, as llama.cpp's engine lets it, and never to those that it was given.

    Every turn of a loop and every macro call spends a step (the calls are put there by `metering`). An operation
    whose result can be much larger than its operands is measured before it runs.
    """

    # The operators whose result can be much larger than their operands.
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def begin(self, variables: Mapping[str, Any]) -> None:
        self._variables = variables
        self._given: frozenset[int] | None = None
        self._steps = 0
        self._end = thread_time() + MAX_SECONDS
        self._next_look = monotonic() + MAX_SECONDS

    def spend(self) -> None:
        """Raises TemplateExhausted when the budget is used up."""
        self._steps += 1
        if self._steps > MAX_STEPS or (monotonic() > self._next_look and self._has_used_its_time()):
            raise TemplateExhausted("The chat template takes too long.")

    def _has_used_its_time(self) -> bool:
        """To be asked seldom: the thread's time costs a call of the system, and is never behind the wall clock's."""
        left = self._end - thread_time()
        self._next_look = monotonic() + left
        return left < 0

    @override
    def concat(self, parts: Iterable[str]) -> str:
        """Every piece of output passes here: the whole text, and what macros and block assignments catch."""
        return joined("", parts)

    def concatenated(self, *parts: object) -> str:
        """What the `~` operator means; `metering` puts it in its place."""
        return joined("", parts)

    @override
    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        for kind, names in _METHODS.items():
            if isinstance(obj, kind):
                return attr in names
        return super().is_safe_attribute(obj, attr, value)

    @override
    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        match getattr(__obj, "__self__", None), getattr(__obj, "__name__", ""):
            case str(text), "replace":
                return replaced(text, *args, **_of_template(kwargs))
            case str(text), "join":
                return joined(text, *args, **_of_template(kwargs))
            case list(values), "append" | "pop" if __self._is_given(values):
                raise SecurityError("The chat template changes the conversation that it was given.")
        return super().call(__context, __obj, *args, **kwargs)

    def _is_given(self, values: list[Any]) -> bool:
        """Whether the list is one of the variables' own, and not one that the template made."""
        if self._given is None:
            # Only when a template changes a list at all, which few do.
            self._given = frozenset(id(each) for each in _lists_in(self._variables))
        return id(values) in self._given

    @override
    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        wrapped = super().wrap_str_format(value)
        if wrapped is not None:
            refuse_wide_fields(value.__self__)
        return wrapped

    @override
    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        match operator, left, right:
            case "%", str(), _:
                refuse_wide_fields(left)
            case "*", (str() | Sequence()), int():
                _refuse_large(left, len(left) * right)
            case "*", int(), (str() | Sequence()):
                _refuse_large(right, len(right) * left)
            case "+", (str() | Sequence()), (str() | Sequence()):
                _refuse_large(left, len(left) + len(right))
            case (("*" | "**"), int(), int()):
                _refuse_large_number(operator, left, right)
        return super().call_binop(context, operator, left, right)


def _lists_in(value: object) -> Iterator[list[Any]]:
    remaining = [value]
    while remaining:
        node = remaining.pop()
        if isinstance(node, list):
            yield node
        if isinstance(node, Mapping):
            remaining += node.values()
        elif isinstance(node, (list, tuple)):
            remaining += node


def _of_template(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What the template itself passes: within loops and blocks Jinja's own code adds what their names stand for."""
    return {name: value for name, value in arguments.items() if name not in _OF_JINJA}


def joined(separator: str, parts: Iterable[object]) -> str:
    """`separator.join`, for parts of any kind. Raises TemplateExhausted past MAX_TEXT characters."""
    texts: list[str] = []
    length = 0
    for part in parts:
        texts.append(printed(part))
        length += len(texts[-1]) + len(separator)
        if length > MAX_TEXT:
            raise _too_much_text()
    return separator.join(texts)


def printed(value: object) -> str:
    """`str(value)`, of a measured value."""
    return value if isinstance(value, str) else str(measured(value))


def measured(value: object) -> object:
    """`value` itself. Raises TemplateExhausted for structures that are small in memory and endless in print.

    Those are lists that hold one shorter list many times, which does the same in its turn.
    """
    remaining = [value]
    for _ in range(_MAX_NODES):
        if not remaining:
            return value
        node = remaining.pop()
        if isinstance(node, dict):
            remaining += node.values()
        elif isinstance(node, (list, tuple)):
            remaining += node
    raise _too_much_text()


def replaced(text: str, old: str, new: str, count: int = -1) -> str:
    """`text.replace`. Raises TemplateExhausted past MAX_TEXT characters."""
    found = text.count(old) if count < 0 else min(count, text.count(old))
    _refuse_large(text, len(text) + found * max(0, len(new) - len(old)))
    return text.replace(old, new, count)


def refuse_wide_fields(pattern: str) -> None:
    """Formats such as `%999999999d` and `{:{}}` make more padding than text."""
    if _WIDE_FIELD.search(pattern):
        raise SecurityError("The chat template formats a field that is too wide.")


def _refuse_large(operand: Sequence[object], length: int) -> None:
    if length > (MAX_TEXT if isinstance(operand, str) else MAX_ITEMS):
        raise _too_much_text()


def _refuse_large_number(operator: str, left: int, right: int) -> None:
    bits = left.bit_length() * right if operator == "**" else left.bit_length() + right.bit_length()
    if bits > _MAX_BITS:
        raise TemplateExhausted("The chat template computes a number that is too large.")


def _too_much_text() -> TemplateExhausted:
    return TemplateExhausted("The chat template produces too much text.")


_Body = TypeVar("_Body", nodes.For, nodes.Macro, nodes.CallBlock)


def meter(sandbox: Sandbox, source: str) -> nodes.Template:
    """The parsed template, metered. Raises TemplateSyntaxError."""
    template = sandbox.parse(source)
    _Meter().visit(template)
    # Nodes that are added have no environment yet, and Jinja's compiler needs it.
    template.set_environment(sandbox)
    return template


class _Meter(NodeTransformer):
    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - Jinja's naming
        return self._spending(node)

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:  # noqa: N802
        return self._spending(node)

    def visit_CallBlock(self, node: nodes.CallBlock) -> nodes.Node:  # noqa: N802
        return self._spending(node)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _sandbox_call("concatenated", node.nodes, node.lineno)

    def _spending(self, node: _Body) -> nodes.Node:
        self.generic_visit(node)
        # First in the body, so that `continue` and `break` cannot skip it.
        node.body.insert(0, nodes.ExprStmt(_sandbox_call("spend", [], node.lineno), lineno=node.lineno))
        return node


def _sandbox_call(method: str, arguments: list[nodes.Expr], lineno: int) -> nodes.Call:
    return nodes.Call(nodes.EnvironmentAttribute(method), arguments, [], None, None, lineno=lineno)
