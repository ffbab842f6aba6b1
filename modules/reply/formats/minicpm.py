"""MiniCPM 5's calls: `<function name="NAME"><param name="KEY">VALUE</param></function>`; a value may be a CDATA section."""

from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.parameters import ParameterReader, ParameterTags, parameters_rule
from modules.reply.formats.source import Source
from modules.reply.formats.steps import Steps

_CALL = '<function name="'
_NAME_END = '">'
_TAGS = ParameterTags(
    opener='<param name="',
    key_closer='">',
    closer="</param>",
    call_closer="</function>",
    quotes=("<![CDATA[", "]]>"),
)


class MiniCpm(MarkedFormat):
    name = "minicpm"
    hints = ('<param name="',)
    openers = (_CALL,)
    closers = (_TAGS.call_closer,)
    markers = ("<function", "</function>", "<param", "</param>")

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from ParameterReader(source, offered, _TAGS).read_call(_NAME_END)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        calls = (
            sequence(literal(f"{_CALL}{tool.name}{_NAME_END}"), parameters_rule(grammar, tool, _TAGS)) for tool in tools
        )
        return repeated(grammar.rule(one_of(calls)), literal("\n"), parallel=parallel)
