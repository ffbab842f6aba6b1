"""Firefunction's calls: `functools[{"name": NAME, "arguments": JSON}, …]`."""

from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.json_calls import object_rule, read_objects
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.source import Source
from modules.reply.formats.steps import Steps

_CALLS = "functools["


class Firefunction(MarkedFormat):
    name = "firefunction"
    hints = (_CALLS,)
    openers = (_CALLS,)
    markers = ()

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from read_objects(source, offered, is_list=True)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(object_rule(grammar, tool, keys=("arguments",)) for tool in tools))
        return sequence(literal(_CALLS), repeated(call, literal(", "), parallel=parallel), literal("]"))
