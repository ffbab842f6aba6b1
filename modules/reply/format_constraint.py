"""Constraints that are made of others."""

import json
import re
from typing import Final

from modules.engine.types import Constraint
from modules.errors import BadRequest

_SLASH_OR_ESCAPED: Final = re.compile(r"\\.|[/\n]", re.DOTALL)


def calls_or_answer(calls: Constraint, answer: Constraint, *, mark: str = "", header: str = "") -> Constraint:
    """What is either calls and nothing else, or the answer that the request describes. Where the model begins answers
    with a `mark`, it comes first, after the `header` of its message or without.

    Raises BadRequest for a form of answer that cannot be joined with calls.
    """
    head = f"{json.dumps(header)}? {json.dumps(mark)} " if mark else ""
    text = f"start: calls | answer\ncalls: {_rule(calls)}\nanswer: {head}form\nform: {_rule(answer)}\n"
    return Constraint(kind="lark", text=text, param=answer.param)


def _rule(constraint: Constraint) -> str:
    """The right-hand side of a rule of llguidance's Lark dialect (its docs/syntax.md) that matches the same."""
    match constraint.kind:
        case "json_schema":
            return f"%json {constraint.text}"
        case "lark":
            return f"%lark {{\n{constraint.text}\n}}"
        case "regex":
            return f"/{_SLASH_OR_ESCAPED.sub(_escaped, constraint.text)}/"
    raise BadRequest(
        'Tools with tool_choice "auto" cannot be combined with this kind of grammar. Set tool_choice to "none" or '
        '"required", or describe the answer as a JSON schema, a regular expression or a Lark grammar.',
        param="tool_choice",
    )


def _escaped(match: "re.Match[str]") -> str:
    return {"/": r"\/", "\n": r"\n"}.get(match.group(), match.group())
