"""MiniMax's calls: `<minimax:tool_call><invoke name="NAME"><parameter name="KEY">VALUE</parameter></invoke>…`."""

from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.parameters import ParameterReader, ParameterTags, parameters_rule
from modules.reply.formats.source import Source
from modules.reply.formats.steps import Steps
from modules.reply.tool_format import Text

_CALLS = "<minimax:tool_call>"
_CALLS_END = "</minimax:tool_call>"
_CALL = '<invoke name="'
_NAME_END = '">'
_TAGS = ParameterTags(
    opener='<parameter name="',
    key_closer='">',
    closer="</parameter>",
    call_closer="</invoke>",
    gap="\n",
    enders=(_CALL, _CALLS_END),
)


class MiniMax(MarkedFormat):
    name = "minimax"
    hints = ("minimax:tool_call",)
    openers = (_CALLS,)
    closers = (_TAGS.call_closer, _CALLS_END)
    markers = (_CALLS, _CALLS_END)

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
        reader = ParameterReader(source, offered, _TAGS)
        yield from source.space()
        yield from source.expect(_CALL)
        while True:
            yield from reader.read_call(_NAME_END)
            source.mark()
            yield from source.space()
            if not (yield from source.literal(_CALL)):
                yield Text(source.unread())
                return

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(_call_rule(grammar, tool) for tool in tools))
        return sequence(literal(_CALLS + "\n"), repeated(call, "", parallel=parallel), literal(_CALLS_END))


def _call_rule(grammar: Grammar, tool: ToolSpec) -> str:
    head = literal(f"{_CALL}{tool.name}{_NAME_END}\n")
    return sequence(head, parameters_rule(grammar, tool, _TAGS), literal("\n"))
