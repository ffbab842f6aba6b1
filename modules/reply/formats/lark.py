"""Writes grammars in llguidance's dialect of Lark, in which calls are enforced.

Source of the dialect: https://github.com/guidance-ai/llguidance/blob/main/docs/syntax.md
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from modules.errors import BadRequest
from modules.messages import ToolSpec
from modules.reply.formats.offered import parameters_of
from modules.reply.formats.relaxed_schema import relaxed

MAX_PARALLEL_CALLS = 16
_MAX_INTERSECTIONS = 8


class Grammar:
    """Rules under names of their own. Whatever takes or gives an expression means the right side of a rule.

    The lexer is greedy: where one literal may come, another that begins with it must not.
    """

    def __init__(self) -> None:
        self._rules: dict[str, str] = {}
        self._intersections = 0

    def rule(self, expression: str) -> str:
        """The name of the rule that stands for `expression`."""
        return self._rules.setdefault(expression, f"r{len(self._rules)}")

    def terminal(self, expression: str) -> str:
        """The name of the terminal that stands for `expression`: of regular expressions only, and read in one piece."""
        return self._rules.setdefault(expression, f"T{len(self._rules)}")

    def may_intersect(self, count: int, *, is_strict: bool) -> bool:
        """Whether the grammar can bear `count` more patterns at places that have one already: each costs much.

        Raises:
            BadRequest: it cannot, and the tool `is_strict`.
        """
        if self._intersections + 2 * count > _MAX_INTERSECTIONS:
            if is_strict:
                raise BadRequest("The strict tools have too many patterns and lengths of strings.", param="tools")
            return False
        self._intersections += 2 * count
        return True

    def json(self, schema: Mapping[str, Any], *, is_strict: bool = False) -> str:
        """A rule for JSON as `schema` says; without `is_strict`, as far as it can be enforced."""
        return self.rule("%json " + json.dumps(schema if is_strict else relaxed(schema)))

    def arguments(self, tool: ToolSpec) -> str:
        """A rule for the arguments of `tool` as a JSON object."""
        return self.json(parameters_of(tool), is_strict=tool.strict)

    def source(self, start: str) -> str:
        """The grammar of `start`, before which a reply may have two line breaks."""
        rules = (f"{name}: {expression}" for expression, name in self._rules.items())
        return "\n".join((rf"start: /\n{{0,2}}/ {start}", *rules, ""))


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
