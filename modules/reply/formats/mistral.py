"""Mistral's calls: `[TOOL_CALLS]NAME[ARGS]JSON` for each, or one `[TOOL_CALLS]` before a JSON list of them, as older
models write it. A reply may also begin with the name itself, where the mark before it is not printed."""

import re
from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.calls import read_json_call, read_name
from modules.reply.formats.json_calls import object_rule, read_objects
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.source import Source
from modules.reply.formats.steps import Steps

_CALLS = "[TOOL_CALLS]"
_CALL_ID = "[CALL_ID]"
_ARGUMENTS = "[ARGS]"
_ID = re.compile(r"\w*")


class Mistral(MarkedFormat):
    name = "mistral"
    hints = (_CALLS,)
    openers = (_CALLS,)
    markers = (_CALLS, _CALL_ID, _ARGUMENTS)

    def read_first(self, source: Source, offered: OfferedTools) -> Steps[None]:
        yield from source.space()
        yield from _read_named(source, offered)

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from source.space()
        if (yield from source.peek()) in "[{":
            yield from read_objects(source, offered)
        else:
            yield from _read_named(source, offered)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        item = grammar.rule(one_of(object_rule(grammar, tool, keys=("arguments",)) for tool in tools))
        listed = sequence(literal(_CALLS + "["), repeated(item, literal(", "), parallel=parallel), literal("]"))
        named = grammar.rule(one_of(_named_rule(grammar, tool) for tool in tools))
        return one_of((repeated(named, "", parallel=parallel), listed))


def _read_named(source: Source, offered: OfferedTools) -> Steps[None]:
    name = yield from read_name(source, offered)
    if (yield from source.literal(_CALL_ID)):
        yield from source.run(_ID)
    yield from source.literal(_ARGUMENTS)
    yield from source.space()
    yield from read_json_call(source, offered, name)


def _named_rule(grammar: Grammar, tool: ToolSpec) -> str:
    return sequence(literal(f"{_CALLS}{tool.name}{_ARGUMENTS}"), grammar.arguments(tool))
