"""Calls that are a function's name and JSON, one after the other: `NAME{JSON}`, as Functionary writes them behind `>>>`.

Without that mark they are calls only where the reply begins with one, since prose may say such things too.
"""

from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.calls import read_json_call, read_name
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.source import Source
from modules.reply.formats.steps import Steps

_CALL = ">>>"
# The recipient of what is meant for the user.
_TO_USER = "all\n"


class BareName(MarkedFormat):
    name = "bare-name"
    hints = (">>>all", "<|end_header_id|>\\n\\n>>>")
    openers = (_CALL,)
    markers = ()

    def read_first(self, source: Source, offered: OfferedTools) -> Steps[None]:
        yield from source.space()
        yield from source.literal(_CALL)
        yield from self.read_calls(source, _CALL, offered)

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
        if (yield from source.literal(_TO_USER)):
            source.commit()
            return
        while True:
            name = yield from read_name(source, offered)
            yield from source.space()
            yield from read_json_call(source, offered, name)
            source.mark()
            yield from source.space()
            yield from source.literal(_CALL)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        calls = (sequence(literal(tool.name), r"/\n?/", grammar.arguments(tool)) for tool in tools)
        return repeated(grammar.rule(one_of(calls)), rf"/\n?/ {literal(_CALL)}?", parallel=parallel)
