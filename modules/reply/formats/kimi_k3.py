"""Kimi K3's calls: `<|open|>call tool="NAME" index="1"<|sep|>` in a section of its own, with the type of each argument."""

import re

from modules.messages import ToolSpec
from modules.reply.formats.invoke import InvokeFormat
from modules.reply.formats.lark import Grammar, literal, sequence
from modules.reply.formats.parameters import ParameterTags, parameters_rule
from modules.reply.formats.source import Source
from modules.reply.formats.steps import Steps

_OPEN = "<|open|>"
_CLOSE = "<|close|>"
_SEPARATOR = "<|sep|>"
_CALLS = f"{_OPEN}tools{_SEPARATOR}"
_CALLS_END = f"{_CLOSE}tools{_SEPARATOR}"
_CALL = f'{_OPEN}call tool="'
_CALL_END = f"{_CLOSE}call{_SEPARATOR}"
_INDEX = '" index="'
_ATTRIBUTES = re.compile(r"[^<>]*")
_TYPES = ("string", "number", "boolean", "object", "array", "null")


class KimiK3(InvokeFormat):
    name = "kimi-k3"
    hints = (f'{_OPEN}call tool="', f"{_OPEN}tools{_SEPARATOR}", "<|open|>")
    openers = (_CALLS,)
    closers = (_CALL_END, _CALLS_END, f"{_CLOSE}message{_SEPARATOR}")
    markers = (_OPEN, _CLOSE, _SEPARATOR)
    section = _CALLS
    section_end = _CALLS_END
    invoke = _CALL
    gap = ""
    tags = ParameterTags(
        opener=f'{_OPEN}argument key="',
        key_closer=f'"{_SEPARATOR}',
        typed_closers=tuple((f'" type="{kind}"{_SEPARATOR}', kind) for kind in _TYPES),
        closer=f"{_CLOSE}argument{_SEPARATOR}",
        call_closer=_CALL_END,
        enders=(_CALL, _CALLS_END),
    )

    def read_name_end(self, source: Source) -> Steps[None]:
        yield from source.expect('"')
        yield from source.run(_ATTRIBUTES)
        yield from source.expect(_SEPARATOR)

    def _call_rule(self, grammar: Grammar, tool: ToolSpec) -> str:
        head = sequence(literal(f"{_CALL}{tool.name}{_INDEX}"), "/[0-9]{1,3}/", literal(f'"{_SEPARATOR}'))
        return sequence(head, parameters_rule(grammar, tool, self.tags))
