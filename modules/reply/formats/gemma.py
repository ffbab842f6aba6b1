"""Gemma 4's calls: `<|tool_call>call:NAME{KEY:<|"|>TEXT<|"|>,KEY:1}<tool_call|>`, with bare keys and a quote of its own."""

from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.calls import give_call, read_name
from modules.reply.formats.gemma_grammar import QUOTE, object_rule
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.offered import OfferedTools, parameters_of
from modules.reply.formats.schema import Schema
from modules.reply.formats.source import Source
from modules.reply.formats.steps import Steps
from modules.reply.formats.values import Notation, ValueReader

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

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
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
