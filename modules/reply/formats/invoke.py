"""Calls as `<invoke name="NAME">` with tagged parameters: DeepSeek 3.2, MiniMax M2, Kimi K3, Muse."""

import re
from collections.abc import Sequence
from typing import ClassVar

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.syntax.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.syntax.parameters import ParameterReader, ParameterTags, parameters_rule
from modules.reply.syntax.reading import read_name
from modules.reply.syntax.schema import OfferedTools
from modules.reply.syntax.source import NotACall, ReplySource, Steps
from modules.reply.tool_format import Text


class InvokeFormat(MarkedFormat):
    """Sections from `section` to `section_end` hold calls, each `invoke` NAME `name_end`, then parameters in `tags`, with
    `gap` behind."""

    section: ClassVar[str]
    section_end: ClassVar[str]
    invoke: ClassVar[str]
    name_end: ClassVar[str] = '">'
    gap: ClassVar[str] = "\n"
    tags: ClassVar[ParameterTags]

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        reader = ParameterReader(source, offered, self.tags)
        yield from source.space()
        yield from source.expect(self.invoke)
        while True:
            name = yield from read_name(source, offered)
            yield from self.read_name_end(source)
            yield from reader.read_arguments(name)
            source.mark()
            yield from source.space()
            if not (yield from source.literal(self.invoke)):
                yield Text(source.unread())
                return

    def read_name_end(self, source: ReplySource) -> Steps[None]:
        yield from source.expect(self.name_end)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(self._call_rule(grammar, tool) for tool in tools))
        return sequence(
            literal(self.section + self.gap), repeated(call, "", parallel=parallel), literal(self.section_end)
        )

    def _call_rule(self, grammar: Grammar, tool: ToolSpec) -> str:
        head = literal(f"{self.invoke}{tool.name}{self.name_end}{self.gap}")
        gap = [literal(self.gap)] if self.gap else []
        return sequence(head, parameters_rule(grammar, tool, self.tags), *gap)


_SECTIONS = ("function_calls", "tool_calls")
_MARK = "｜DSML｜"
_DSML_CALL = f'<{_MARK}invoke name="'
_DSML_CALL_END = f"</{_MARK}invoke>"
_SECTION_ENDS = tuple(f"</{_MARK}{section}>" for section in _SECTIONS)


class Dsml(InvokeFormat):
    name = "dsml"
    hints = (_MARK,)
    openers = tuple(f"<{_MARK}{section}>" for section in _SECTIONS)
    closers = (_DSML_CALL_END, *_SECTION_ENDS)
    markers = (_MARK,)
    section = openers[0]
    section_end = _SECTION_ENDS[0]
    invoke = _DSML_CALL
    tags = ParameterTags(
        opener=f'<{_MARK}parameter name="',
        key_closer='">',
        typed_closers=(('" string="true">', "string"), ('" string="false">', "json")),
        closer=f"</{_MARK}parameter>",
        call_closer=_DSML_CALL_END,
        gap="\n",
        enders=(_DSML_CALL, *_SECTION_ENDS),
        mark=_MARK,
    )


_MINIMAX_CALLS = "<minimax:tool_call>"
_MINIMAX_CALLS_END = "</minimax:tool_call>"
_MINIMAX_CALL = '<invoke name="'


class MiniMax(InvokeFormat):
    name = "minimax"
    hints = ("minimax:tool_call",)
    openers = (_MINIMAX_CALLS,)
    closers = ("</invoke>", _MINIMAX_CALLS_END)
    markers = (_MINIMAX_CALLS, _MINIMAX_CALLS_END)
    section = _MINIMAX_CALLS
    section_end = _MINIMAX_CALLS_END
    invoke = _MINIMAX_CALL
    tags = ParameterTags(
        opener='<parameter name="',
        key_closer='">',
        closer="</parameter>",
        call_closer="</invoke>",
        gap="\n",
        enders=(_MINIMAX_CALL, _MINIMAX_CALLS_END),
    )


_OPEN = "<|open|>"
_CLOSE = "<|close|>"
_SEPARATOR = "<|sep|>"
_KIMI_K3_CALLS = f"{_OPEN}tools{_SEPARATOR}"
_KIMI_K3_CALLS_END = f"{_CLOSE}tools{_SEPARATOR}"
_KIMI_K3_CALL = f'{_OPEN}call tool="'
_KIMI_K3_CALL_END = f"{_CLOSE}call{_SEPARATOR}"
_INDEX = '" index="'
_ATTRIBUTES = re.compile(r"[^<>]*")
_TYPES = ("string", "number", "boolean", "object", "array", "null")


class KimiK3(InvokeFormat):
    name = "kimi-k3"
    hints = (f'{_OPEN}call tool="', f"{_OPEN}tools{_SEPARATOR}", "<|open|>")
    openers = (_KIMI_K3_CALLS,)
    closers = (_KIMI_K3_CALL_END, _KIMI_K3_CALLS_END, f"{_CLOSE}message{_SEPARATOR}")
    markers = (_OPEN, _CLOSE, _SEPARATOR)
    section = _KIMI_K3_CALLS
    section_end = _KIMI_K3_CALLS_END
    invoke = _KIMI_K3_CALL
    gap = ""
    tags = ParameterTags(
        opener=f'{_OPEN}argument key="',
        key_closer=f'"{_SEPARATOR}',
        typed_closers=tuple((f'" type="{kind}"{_SEPARATOR}', kind) for kind in _TYPES),
        closer=f"{_CLOSE}argument{_SEPARATOR}",
        call_closer=_KIMI_K3_CALL_END,
        enders=(_KIMI_K3_CALL, _KIMI_K3_CALLS_END),
    )

    def read_name_end(self, source: ReplySource) -> Steps[None]:
        yield from source.expect('"')
        yield from source.run(_ATTRIBUTES)
        yield from source.expect(_SEPARATOR)

    def _call_rule(self, grammar: Grammar, tool: ToolSpec) -> str:
        head = sequence(literal(f"{_KIMI_K3_CALL}{tool.name}{_INDEX}"), "/[0-9]{1,3}/", literal(f'"{_SEPARATOR}'))
        return sequence(head, parameters_rule(grammar, tool, self.tags))


_START = "<|start|>assistant"
_MESSAGE = "<|message|>"
_MESSAGE_END = "<|eom|>"
_RECIPIENT = "to="
_WORD = re.compile(r"[\w.*-]*")
_MUSE_CALLS = "<atem:function_calls>"
_MUSE_CALLS_END = "</atem:function_calls>"
_MUSE_CALL = '<atem:invoke name="'


class Muse(InvokeFormat):
    name = "muse"
    hints = ("<atem:invoke", "atem:function_calls")
    openers = (_START, _MESSAGE_END, _MUSE_CALLS)
    closers = ("</atem:invoke>", _MUSE_CALLS_END, _MESSAGE_END)
    markers = ("<|start|>", _MESSAGE, _MESSAGE_END)
    section = _MUSE_CALLS
    section_end = _MUSE_CALLS_END
    invoke = _MUSE_CALL
    tags = ParameterTags(
        opener='<atem:parameter name="',
        key_closer='">',
        closer="</atem:parameter>",
        call_closer="</atem:invoke>",
        gap="\n",
        enders=(_MUSE_CALL, _MUSE_CALLS_END),
    )

    def read_first(self, source: ReplySource, offered: OfferedTools) -> Steps[None]:
        """The rest of a header whose beginning stands in the prompt."""
        yield from _skip_header(source)

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        if opener == _MUSE_CALLS:
            yield from super().read_calls(source, opener, offered)
        elif opener == _START:
            yield from _skip_header(source)
        else:
            source.commit()

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(self._message_rule(grammar, tool) for tool in tools))
        return repeated(call, literal(_MESSAGE_END + _START), parallel=parallel)

    def _message_rule(self, grammar: Grammar, tool: ToolSpec) -> str:
        head = literal(f" {_RECIPIENT}{tool.name}{_MESSAGE}{_MUSE_CALLS}\n")
        return sequence(head, self._call_rule(grammar, tool), literal(_MUSE_CALLS_END))


def _skip_header(source: ReplySource) -> Steps[None]:
    yield from source.space()
    yield from source.expect(_RECIPIENT)
    if not (yield from source.run(_WORD)):
        raise NotACall
    yield from source.expect(_MESSAGE)
    source.commit()
