"""Grammars of arguments that are written one by one, and of unquoted text that ends with a marker."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modules.errors import BadRequest
from modules.messages import ToolSpec
from modules.reply.syntax.lark import (
    Grammar,
    between_slashes,
    literal,
    literal_pattern,
    one_of,
    sequence,
    text_without,
    whole_pattern,
)
from modules.reply.syntax.schema import Schema, parameters_of


def text_until(
    grammar: Grammar, schema: Schema, closer: str, *, padding: str = "", mark: str = "", is_strict: bool = False
) -> str:
    """A string that `schema` allows, `padding`, and `closer`, which does not occur before: nor does its beginning, where
    its first character is repeated behind that. `mark` is what of the closer may be a control token, if not all of it.

    Limits that cannot be enforced are passed over; with `is_strict` they raise BadRequest.
    """
    place = schema.referred
    choices = tuple(each for each in place.choices if isinstance(each, str))
    if choices:
        return sequence(one_of(map(literal, choices)), literal(padding + closer))
    limits = (*_length_limits(place), *_pattern_limits(place, is_strict=is_strict))
    if limits and grammar.may_intersect(len(limits), is_strict=is_strict):
        return _limited_text(grammar, limits, closer, padding, mark)
    text = text_without(_beginning(closer))
    # A closer that is a control token is no text, and stands beside the text; any other is read in one piece with it.
    return one_of(
        sequence(between_slashes(text + literal_pattern(read)), *([literal(rest)] if rest else []))
        for read, rest in _divided(closer, mark)
    )


def _limited_text(grammar: Grammar, limits: tuple[str, ...], closer: str, padding: str, mark: str) -> str:
    text = " & ".join((*map(between_slashes, limits), between_slashes(text_without(_beginning(closer)))))
    padded = f"({text}) {literal(padding)}" if padding else f"({text})"
    return one_of(
        sequence(grammar.terminal(f"{padded} {literal(read)}" if read else padded), *([literal(rest)] if rest else []))
        for read, rest in _divided(closer, mark)
    )


def _beginning(closer: str) -> str:
    """As much of `closer` as has its first character once."""
    again = closer.find(closer[0], 1)
    return closer if again < 0 else closer[:again]


def _divided(closer: str, mark: str) -> tuple[tuple[str, str], ...]:
    """The ways to divide `closer` into what is read in one piece with the text before it, and what is not."""
    place = closer.find(mark) if mark else 0
    return ((closer, ""), (closer[:place], closer[place:]))


def _length_limits(schema: Schema) -> tuple[str, ...]:
    shortest, longest = schema.node.get("minLength", 0), schema.node.get("maxLength")
    if not shortest and longest is None:
        return ()
    return (f"(?s:.{{{shortest},{'' if longest is None else longest}}})",)


def _pattern_limits(schema: Schema, *, is_strict: bool) -> tuple[str, ...]:
    pattern = schema.node.get("pattern")
    if not isinstance(pattern, str):
        return ()
    whole = whole_pattern(pattern)
    if whole is None and is_strict:
        raise BadRequest(
            f"The pattern {pattern!r} of a strict tool cannot be enforced. Write it without look-around, back-references "
            "and anchors other than at its ends, or leave out `strict`.",
            param="tools",
        )
    return () if whole is None else (whole,)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One named value. `is_strict` as of `Grammar.json`."""

    name: str
    schema: Schema
    is_required: bool
    is_strict: bool

    def json_rule(self, grammar: Grammar) -> str:
        return grammar.json(self.schema.node, is_strict=self.is_strict)


def parameters_in(tool: ToolSpec) -> tuple[Parameter, ...]:
    return members_of(Schema(parameters_of(tool)), is_strict=tool.strict)


def members_of(schema: Schema, *, is_strict: bool) -> tuple[Parameter, ...]:
    """The properties of an object, in the schema's order."""
    required = schema.required
    return tuple(Parameter(name, each, name in required, is_strict) for name, each in schema.members.items())


def parameter_list(
    grammar: Grammar, parameters: Sequence[Parameter], rule: Callable[[Parameter], str], separator: str
) -> str:
    """Required parameters and any of the others, in order, each as `rule` writes it, with the expression `separator`
    between."""
    start = rest = '""'
    for parameter in reversed(parameters):
        written = rule(parameter)
        start = sequence(written, rest) if parameter.is_required else one_of((sequence(written, rest), start))
        rest = grammar.rule(sequence(f"({separator} {written}){'' if parameter.is_required else '?'}", rest))
    return start
