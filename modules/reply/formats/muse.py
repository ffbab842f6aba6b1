"""Muse's calls: a message to each function, `to=NAME<|message|><atem:function_calls><atem:invoke name="NAME">…`.

What the marks say of messages that are no calls is dropped, so that only their text is left.
"""

import re
from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.invoke import InvokeFormat
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.parameters import ParameterTags
from modules.reply.formats.source import Source
from modules.reply.formats.steps import NotACall, Steps

_START = "<|start|>assistant"
_MESSAGE = "<|message|>"
_MESSAGE_END = "<|eom|>"
_RECIPIENT = "to="
_WORD = re.compile(r"[\w.*-]*")
_CALLS = "<atem:function_calls>"
_CALLS_END = "</atem:function_calls>"
_CALL = '<atem:invoke name="'


class Muse(InvokeFormat):
    name = "muse"
    hints = ("<atem:invoke", "atem:function_calls")
    openers = (_START, _MESSAGE_END, _CALLS)
    closers = ("</atem:invoke>", _CALLS_END, _MESSAGE_END)
    markers = ("<|start|>", _MESSAGE, _MESSAGE_END)
    section = _CALLS
    section_end = _CALLS_END
    invoke = _CALL
    tags = ParameterTags(
        opener='<atem:parameter name="',
        key_closer='">',
        closer="</atem:parameter>",
        call_closer="</atem:invoke>",
        gap="\n",
        enders=(_CALL, _CALLS_END),
    )

    def read_first(self, source: Source, offered: OfferedTools) -> Steps[None]:
        """The rest of a header whose beginning stands in the prompt."""
        yield from _skip_header(source)

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
        if opener == _CALLS:
            yield from super().read_calls(source, opener, offered)
        elif opener == _START:
            yield from _skip_header(source)
        else:
            source.commit()

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(self._message_rule(grammar, tool) for tool in tools))
        return repeated(call, literal(_MESSAGE_END + _START), parallel=parallel)

    def _message_rule(self, grammar: Grammar, tool: ToolSpec) -> str:
        head = literal(f" {_RECIPIENT}{tool.name}{_MESSAGE}{_CALLS}\n")
        return sequence(head, self._call_rule(grammar, tool), literal(_CALLS_END))


def _skip_header(source: Source) -> Steps[None]:
    yield from source.space()
    yield from source.expect(_RECIPIENT)
    if not (yield from source.run(_WORD)):
        raise NotACall
    yield from source.expect(_MESSAGE)
    source.commit()
