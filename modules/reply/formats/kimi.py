"""Kimi K2's calls: `<|tool_call_begin|>functions.NAME:INDEX<|tool_call_argument_begin|>JSON<|tool_call_end|>` in a section."""

import re
from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.calls import read_json_call, read_name
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.source import Source
from modules.reply.formats.steps import Steps

_SECTION = "<|tool_calls_section_begin|>"
_SECTION_END = "<|tool_calls_section_end|>"
_CALL = "<|tool_call_begin|>"
_ARGUMENTS = "<|tool_call_argument_begin|>"
_CALL_END = "<|tool_call_end|>"
_PREFIX = "functions."
_INDEX = re.compile(r"[:\d]*")


class Kimi(MarkedFormat):
    name = "kimi"
    hints = (_CALL,)
    openers = (_SECTION, _CALL)
    closers = (_CALL_END, _SECTION_END)
    markers = (_SECTION, _SECTION_END, _CALL, _ARGUMENTS, _CALL_END)

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
        if opener == _SECTION:
            yield from source.space()
            yield from source.expect(_CALL)
        yield from source.space()
        yield from source.literal(_PREFIX)
        name = yield from read_name(source, offered)
        yield from source.run(_INDEX)
        yield from source.space()
        yield from source.expect(_ARGUMENTS)
        yield from source.space()
        yield from read_json_call(source, offered, name)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(_call_rule(grammar, tool) for tool in tools))
        calls = repeated(call, "", parallel=parallel)
        return sequence(literal(_SECTION), calls, literal(_SECTION_END))


def _call_rule(grammar: Grammar, tool: ToolSpec) -> str:
    head = sequence(literal(f"{_CALL}{_PREFIX}{tool.name}:"), "/[0-9]{1,4}/", literal(_ARGUMENTS))
    return sequence(head, grammar.arguments(tool), literal(_CALL_END))
