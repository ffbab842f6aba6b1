"""GigaChat's calls: one JSON object, in a message of its own from the role "function call" (3.0) or behind a mark (3.1)."""

from collections.abc import Sequence
from typing import ClassVar

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.json_calls import object_rule, read_objects
from modules.reply.formats.lark import Grammar, literal, one_of, sequence
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.source import Source
from modules.reply.formats.steps import Steps

_CALL = "<|function_call|>"
_MESSAGE_END = "<|message_sep|>"
_ROLE = "function call<|role_sep|>"


class GigaChat(MarkedFormat):
    name = "gigachat"
    hints: ClassVar[tuple[str, ...]] = (_CALL,)
    openers = (_CALL, _MESSAGE_END, _ROLE)
    closers = (_MESSAGE_END,)
    markers = (_CALL, _MESSAGE_END, "<|role_sep|>")

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
        if opener == _MESSAGE_END:
            yield from source.space()
            yield from source.expect(_ROLE)
        yield from read_objects(source, offered)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        """One call: the model ends its turn with each."""
        return sequence(
            literal(self.call_head), one_of(object_rule(grammar, tool, keys=("arguments",)) for tool in tools)
        )

    call_head = _CALL


class GigaChat30(GigaChat):
    name = "gigachat-3.0"
    hints = (_ROLE, "<|role_sep|>")
    call_head = f"{_MESSAGE_END}\n\n{_ROLE}\n"
