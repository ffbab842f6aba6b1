"""Solar Open's calls: `<|tool_call:begin|>ID<|tool_call:name|>NAME<|tool_call:args|>JSON<|tool_call:end|>` in a message.

What the marks say of messages that are no calls is dropped, so that only their text is left.
"""

import re
from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.calls import read_json_call, read_name
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.source import Source
from modules.reply.formats.steps import Steps

_START = "<|begin|>assistant"
_END = "<|end|>"
_CONTENT = "<|content|>"
_CALLS = "<|tool_calls|>"
_CALLS_END = "<|calls|>"
_CALL = "<|tool_call:begin|>"
_NAME = "<|tool_call:name|>"
_ARGUMENTS = "<|tool_call:args|>"
_CALL_END = "<|tool_call:end|>"
_ID = re.compile(r"[\w.:-]*")


class Solar(MarkedFormat):
    name = "solar"
    hints = (_CALL, "<|tool_call:name|>")
    openers = (_START, _END, _CALLS, _CALL)
    closers = (_CALL_END, _CALLS_END)
    markers = ("<|begin|>", _END, _CONTENT, _CALLS, _CALLS_END, _CALL, _NAME, _ARGUMENTS, _CALL_END)

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
        if opener == _END:
            source.commit()
            return
        if opener == _START and (yield from source.expect(_CALLS, _CONTENT)) == _CONTENT:
            source.commit()
            return
        if opener != _CALL:
            yield from source.space()
            yield from source.expect(_CALL)
        yield from source.run(_ID)
        yield from source.expect(_NAME)
        name = yield from read_name(source, offered)
        yield from source.expect(_ARGUMENTS)
        yield from source.space()
        yield from read_json_call(source, offered, name)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(_call_rule(grammar, tool) for tool in tools))
        calls = repeated(call, "", parallel=parallel)
        return sequence(literal(_START) + "?", literal(_CALLS), calls, literal(_CALLS_END))


def _call_rule(grammar: Grammar, tool: ToolSpec) -> str:
    head = sequence(literal(_CALL), "/[a-z0-9]{1,10}/", literal(f"{_NAME}{tool.name}{_ARGUMENTS}"))
    return sequence(head, grammar.arguments(tool), literal(_CALL_END))
