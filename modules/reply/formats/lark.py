"""Writes grammars in llguidance's dialect of Lark, in which calls are enforced.

Source of the dialect: https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from modules.messages import ToolSpec
from modules.reply.formats.offered import parameters_of

MAX_PARALLEL_CALLS = 16

# Models write JSON with a space behind separators or without; more space than that only costs tokens.
_SPACING = {"whitespace_flexible": False, "item_separator": ", ?", "key_separator": ": ?"}
_COMPOSITIONS = ("allOf", "anyOf", "oneOf", "$ref", "patternProperties", "additionalProperties")


class Grammar:
    """Rules under names of their own. Whatever takes or gives an expression means the right side of a rule.

    The lexer is greedy: where one literal may come, another that begins with it must not.
    """

    def __init__(self) -> None:
        self._rules: list[str] = []

    def rule(self, expression: str, options: str = "") -> str:
        """The name of a new rule that stands for `expression`."""
        name = f"r{len(self._rules)}"
        self._rules.append(f"{name}{options}: {expression}")
        return name

    def terminal(self, expression: str) -> str:
        """The name of a new terminal: what is made of regular expressions only, and read as one piece."""
        name = f"T{len(self._rules)}"
        self._rules.append(f"{name}: {expression}")
        return name

    def json(self, schema: Mapping[str, Any], *, is_strict: bool = False) -> str:
        """A rule for JSON as `schema` says; without `is_strict`, what llguidance does not know in it is passed over."""
        guidance = {**_SPACING, "lenient": not is_strict}
        return self.rule("%json " + json.dumps({**schema, "x-guidance": guidance}))

    def arguments(self, tool: ToolSpec) -> str:
        """A rule for the arguments of `tool` as a JSON object."""
        return self.json(closed(parameters_of(tool)), is_strict=tool.strict)

    def source(self, start: str) -> str:
        """The grammar of `start`, before which a reply may have two line breaks."""
        return "\n".join((rf"start: /\n{{0,2}}/ {start}", *self._rules, ""))


def literal(text: str) -> str:
    return json.dumps(text)


def one_of(expressions: Iterable[str]) -> str:
    return "(" + " | ".join(expressions) + ")"


def sequence(*expressions: str) -> str:
    return "(" + " ".join(expressions) + ")"


def repeated(expression: str, separator: str, *, parallel: bool) -> str:
    """`expression` once, or with `parallel` up to MAX_PARALLEL_CALLS times with `separator` between."""
    if not parallel:
        return expression
    return sequence(expression, f"({separator} {expression}){{0,{MAX_PARALLEL_CALLS - 1}}}")


def closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` of an object without properties that it does not name, where it leaves that open."""
    if "properties" not in schema or any(key in schema for key in _COMPOSITIONS):
        return dict(schema)
    return {**schema, "additionalProperties": False}
