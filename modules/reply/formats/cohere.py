"""Cohere's calls: a JSON list of them, between marks in Command R7B, A and later, behind `Action:` in Command R and R+."""

import re
from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.json_calls import read_objects
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.reading import skip_closers
from modules.reply.formats.scalars import quoted
from modules.reply.formats.source import Source
from modules.reply.formats.steps import Steps

_CALLS = "<|START_ACTION|>"
_CALLS_END = "<|END_ACTION|>"
_ACTION = "Action:"
_FENCE = "```"
_INFORMATION = re.compile(r"[\w-]*")


class Command(MarkedFormat):
    name = "command"
    hints = (_CALLS,)
    openers = (_CALLS,)
    closers = (_CALLS_END,)
    markers = (_CALLS, _CALLS_END)

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from read_objects(source, offered)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        identifier = sequence(literal('"tool_call_id": "'), "/[0-9]{1,3}/", literal('", '))
        call = grammar.rule(one_of(_call_rule(grammar, tool, identifier) for tool in tools))
        calls = repeated(call, literal(",\n    "), parallel=parallel)
        return sequence(literal(_CALLS + "[\n    "), calls, literal("\n]" + _CALLS_END))


class CommandR(MarkedFormat):
    name = "command-r"
    hints = ("Write 'Action:' followed by", "Write \\'Action:\\' followed by", "\\nAction:\\n```json")
    openers = (_ACTION,)
    markers = ()

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from source.space()
        yield from source.expect(_FENCE)
        yield from source.run(_INFORMATION)
        yield from read_objects(source, offered)
        yield from skip_closers(source, (_FENCE,))

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(_call_rule(grammar, tool, "") for tool in tools))
        calls = repeated(call, literal(",\n"), parallel=parallel)
        return sequence(literal(f"{_ACTION}\n{_FENCE}json\n[\n"), calls, literal(f"\n]{_FENCE}"))


def _call_rule(grammar: Grammar, tool: ToolSpec, identifier: str) -> str:
    head = literal(f'"tool_name": {quoted(tool.name)}, "parameters": ')
    return sequence(literal("{"), identifier, head, grammar.arguments(tool), literal("}"))
