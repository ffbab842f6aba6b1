"""Gemma 4's calls, `<|tool_call>call:NAME{KEY:VALUE}<tool_call|>`, and grammars of its values.

Strings are quoted by a token of their own, `<|"|>`, and keys are bare. JSON is read there as well.
"""

import json
from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.syntax.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.syntax.parameters import Parameter, members_of, parameter_list, text_until
from modules.reply.syntax.reading import give_call, read_name
from modules.reply.syntax.schema import OfferedTools, Schema, parameters_of
from modules.reply.syntax.source import ReplySource, Steps
from modules.reply.syntax.values import Notation, ValueReader

QUOTE = '<|"|>'
# Each level multiplies the rules of the grammar; deeper values are held to be values, not to the schema.
_MAX_DEPTH = 5


def object_rule(grammar: Grammar, schema: Schema, *, is_strict: bool, depth: int = 0) -> str:
    """An object with the properties that `schema` names."""

    def member(each: Parameter) -> str:
        return sequence(literal(each.name + ":"), _value(grammar, each.schema, is_strict, depth + 1))

    members = members_of(schema.referred, is_strict=is_strict)
    listed = parameter_list(grammar, members, member, literal(","))
    return grammar.rule(sequence(literal("{"), listed, literal("}")))


def _value(grammar: Grammar, schema: Schema, is_strict: bool, depth: int) -> str:
    place = schema.referred
    if place.choices:
        return one_of(literal(_written(each)) for each in place.choices)
    others = tuple(each for each in place.alternatives if each.types != {"null"})
    if len(others) == 1 and depth < _MAX_DEPTH:
        return one_of((_value(grammar, others[0], is_strict, depth + 1), literal("null")))
    kinds = place.types - {"null"}
    if len(kinds) != 1 or place.alternatives or depth >= _MAX_DEPTH:
        return grammar.json(schema.node, is_strict=is_strict)
    value = _value_of_kind(grammar, place, next(iter(kinds)), is_strict, depth)
    return value if len(place.types) == 1 else one_of((value, literal("null")))


def _value_of_kind(grammar: Grammar, place: Schema, kind: str, is_strict: bool, depth: int) -> str:
    if kind == "string":
        return sequence(literal(QUOTE), text_until(grammar, place, QUOTE, is_strict=is_strict))
    if kind == "array" and place.items.types:
        return _array(grammar, place, is_strict, depth)
    if kind == "object" and place.members:
        return object_rule(grammar, place, is_strict=is_strict, depth=depth)
    return grammar.json({**place.node, "type": kind}, is_strict=is_strict)


def _array(grammar: Grammar, place: Schema, is_strict: bool, depth: int) -> str:
    item = grammar.rule(_value(grammar, place.items, is_strict, depth + 1))
    fewest, most = place.node.get("minItems", 0), place.node.get("maxItems")
    bounds = f"{{{max(0, fewest - 1)},{'' if most is None else max(0, most - 1)}}}"
    items = f'({item} ("," {item}){bounds})'
    return sequence(literal("["), items if fewest else items + "?", literal("]"))


def _written(value: object) -> str:
    return f"{QUOTE}{value}{QUOTE}" if isinstance(value, str) else json.dumps(value)


_CALL = "<|tool_call>"
_CALL_END = "<tool_call|>"
_PREFIX = "call:"
_NOTATION = Notation(quotes=('"',), raw_quotes=(QUOTE,))


class Gemma(MarkedFormat):
    name = "gemma"
    hints = (_CALL + _PREFIX,)
    openers = (_CALL,)
    closers = (_CALL_END, "<|tool_response>")
    markers = (_CALL, _CALL_END, QUOTE)

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from source.expect(_PREFIX)
        name = yield from read_name(source, offered)
        yield from source.expect("{")
        arguments = ValueReader(source, _NOTATION).object(offered.schema(name))
        yield from give_call(source, name, arguments)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(_call_rule(grammar, tool) for tool in tools))
        return repeated(call, "", parallel=parallel)


def _call_rule(grammar: Grammar, tool: ToolSpec) -> str:
    arguments = object_rule(grammar, Schema(parameters_of(tool)), is_strict=tool.strict)
    return sequence(literal(f"{_CALL}{_PREFIX}{tool.name}"), arguments, literal(_CALL_END))
