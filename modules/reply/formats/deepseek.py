"""DeepSeek's calls: `<｜tool▁call▁begin｜>NAME<｜tool▁sep｜>JSON<｜tool▁call▁end｜>` as from V3.1 on, or with the word
"function" before the name and the JSON in a code fence, as V3 and R1 write them."""

from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.calls import read_json_call, read_name
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.reading import skip_closers
from modules.reply.formats.source import Source
from modules.reply.formats.steps import Steps

_CALLS = "<｜tool▁calls▁begin｜>"
_CALLS_END = "<｜tool▁calls▁end｜>"
_CALL = "<｜tool▁call▁begin｜>"
_CALL_END = "<｜tool▁call▁end｜>"
_SEPARATOR = "<｜tool▁sep｜>"
_KIND = "function" + _SEPARATOR
_FENCE = "```json"
_FENCE_END = "```"


class DeepSeek(MarkedFormat):
    name = "deepseek"
    hints = (_CALL, _CALLS)
    openers = (_CALLS, _CALL)
    closers = (_CALL_END, _CALLS_END)
    markers = (_CALLS, _CALLS_END, _CALL, _CALL_END, _SEPARATOR)

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
        if opener == _CALLS:
            yield from source.space()
            yield from source.expect(_CALL)
        yield from source.literal(_KIND)
        name = yield from read_name(source, offered)
        yield from source.literal(_SEPARATOR)
        yield from source.space()
        is_fenced = yield from source.literal(_FENCE)
        yield from source.space()
        yield from read_json_call(source, offered, name)
        if is_fenced:
            yield from skip_closers(source, (_FENCE_END,))

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(_call_rule(grammar, tool) for tool in tools))
        calls = repeated(call, r"/\n?/", parallel=parallel)
        return sequence(literal(_CALLS), calls, literal(_CALLS_END))


def _call_rule(grammar: Grammar, tool: ToolSpec) -> str:
    arguments = grammar.arguments(tool)
    fenced = sequence(literal(f"{_KIND}{tool.name}\n{_FENCE}\n"), arguments, literal("\n" + _FENCE_END))
    plain = sequence(literal(tool.name + _SEPARATOR), arguments)
    return sequence(literal(_CALL), one_of((plain, fenced)), literal(_CALL_END))
