"""Apertus's calls: `<|tools_prefix|>[{"NAME": JSON}, …]<|tools_suffix|>`."""

from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.calls import read_json_call
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.scalars import quoted
from modules.reply.formats.source import Source
from modules.reply.formats.steps import NotACall, Steps
from modules.reply.formats.values import ValueReader

_CALLS = "<|tools_prefix|>"
_CALLS_END = "<|tools_suffix|>"


class Apertus(MarkedFormat):
    name = "apertus"
    hints = (_CALLS,)
    openers = (_CALLS,)
    closers = (_CALLS_END,)
    markers = (_CALLS, _CALLS_END)

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from source.space()
        yield from source.expect("[")
        while True:
            yield from source.space()
            yield from _read_call(source, offered)
            source.mark()
            yield from source.space()
            if (yield from source.literal("]", _CALLS_END)):
                source.commit()
                return
            yield from source.expect(",")

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(_call_rule(grammar, tool) for tool in tools))
        return sequence(
            literal(_CALLS + "["), repeated(call, literal(", "), parallel=parallel), literal("]" + _CALLS_END)
        )


def _read_call(source: Source, offered: OfferedTools) -> Steps[None]:
    yield from source.expect("{")
    yield from source.space()
    name = yield from ValueReader(source).string_text()
    if name not in offered:
        raise NotACall
    yield from source.space()
    yield from source.expect(":")
    yield from source.space()
    yield from read_json_call(source, offered, name)
    yield from source.space()
    yield from source.literal("}")


def _call_rule(grammar: Grammar, tool: ToolSpec) -> str:
    return sequence(literal("{" + quoted(tool.name) + ": "), grammar.arguments(tool), literal("}"))
