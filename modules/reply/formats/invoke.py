"""What the formats share that write `<invoke name="NAME">` with a tag for each parameter, several of them in one section."""

from collections.abc import Sequence
from typing import ClassVar

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.calls import read_name
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.parameters import ParameterReader, ParameterTags, parameters_rule
from modules.reply.formats.source import Source
from modules.reply.formats.steps import Steps
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

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
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

    def read_name_end(self, source: Source) -> Steps[None]:
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
