"""Hunyuan 3's calls: `<tool_call>NAME<tool_sep><arg_key>KEY</arg_key><arg_value>VALUE</arg_value></tool_call>` in a section,
every tag with a suffix that stands for the release, as in `<tool_call:opensource>`."""

from collections.abc import Sequence
from typing import ClassVar

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.parameters import ParameterReader, ParameterTags, parameters_rule
from modules.reply.formats.source import Source
from modules.reply.formats.steps import Steps

_SUFFIXES = (":opensource", "")


def _tags(suffix: str) -> ParameterTags:
    return ParameterTags(
        opener=f"<arg_key{suffix}>",
        key_closer=f"</arg_key{suffix}>",
        value_opener=f"<arg_value{suffix}>",
        closer=f"</arg_value{suffix}>",
        call_closer=f"</tool_call{suffix}>",
        gap="\n",
    )


def _named(pattern: str) -> tuple[str, ...]:
    return tuple(pattern.format(suffix) for suffix in _SUFFIXES)


class Hunyuan(MarkedFormat):
    name = "hunyuan"
    hints: ClassVar[tuple[str, ...]] = ("<tool_sep:opensource>", ":opensource")
    openers = (*_named("<tool_calls{}>"), *_named("<tool_call{}>"))
    closers = (*_named("</tool_calls{}>"), *_named("</tool_call{}>"))
    markers = tuple(
        mark
        for tag in ("tool_calls", "tool_call", "arg_key", "arg_value")
        for mark in (*_named(f"<{tag}{{}}>"), *_named(f"</{tag}{{}}>"))
    ) + _named("<tool_sep{}>")
    suffix: ClassVar[str] = ":opensource"

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
        suffix = _SUFFIXES[0] if _SUFFIXES[0] in opener else ""
        if opener.startswith("<tool_calls"):
            yield from source.space()
            yield from source.expect(f"<tool_call{suffix}>")
        yield from source.space()
        yield from ParameterReader(source, offered, _tags(suffix)).read_call(f"<tool_sep{suffix}>")

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        calls = (self._call_rule(grammar, tool) for tool in tools)
        listed = repeated(grammar.rule(one_of(calls)), "", parallel=parallel)
        return sequence(literal(f"<tool_calls{self.suffix}>\n"), listed, literal(f"</tool_calls{self.suffix}>"))

    def _call_rule(self, grammar: Grammar, tool: ToolSpec) -> str:
        head = literal(f"<tool_call{self.suffix}>{tool.name}<tool_sep{self.suffix}>\n")
        return sequence(head, parameters_rule(grammar, tool, _tags(self.suffix)), literal("\n"))


class PlainHunyuan(Hunyuan):
    """The same without a suffix."""

    name = "hunyuan-plain"
    hints = ("<tool_sep>",)
    suffix = ""
