"""GLM's calls: `<tool_call>NAME<arg_key>KEY</arg_key><arg_value>VALUE</arg_value></tool_call>`."""

from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.parameters import ParameterReader, ParameterTags, parameters_rule
from modules.reply.formats.source import Source
from modules.reply.formats.steps import Steps

_CALL = "<tool_call>"
_CALL_END = "</tool_call>"
_TAGS = ParameterTags(
    opener="<arg_key>",
    key_closer="</arg_key>",
    value_opener="<arg_value>",
    closer="</arg_value>",
    call_closer=_CALL_END,
    gap="\n",
)


class Glm(MarkedFormat):
    name = "glm"
    hints = (_TAGS.opener,)
    openers = (_CALL,)
    closers = (_CALL_END,)
    markers = (_CALL, _CALL_END, _TAGS.opener, _TAGS.key_closer, _TAGS.value_opener, _TAGS.closer)

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from source.space()
        yield from ParameterReader(source, offered, _TAGS).read_call()

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        calls = (sequence(literal(f"{_CALL}{tool.name}\n"), parameters_rule(grammar, tool, _TAGS)) for tool in tools)
        return repeated(grammar.rule(one_of(calls)), literal("\n"), parallel=parallel)
