"""Calls with a tag for each parameter: Qwen3-Coder, GLM, Hunyuan, MiniCPM, Functionary 3.1."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.json_calls import read_objects
from modules.reply.syntax.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.syntax.parameters import ParameterReader, ParameterTags, parameters_rule
from modules.reply.syntax.reading import read_json_call, read_name
from modules.reply.syntax.schema import OfferedTools
from modules.reply.syntax.source import ReplySource, Steps

_XML_PARAMETERS_CALL = "<tool_call>"
_XML_PARAMETERS_CALL_END = "</tool_call>"
_SEED_CALL = "<seed:tool_call>"
_SEED_CALL_END = "</seed:tool_call>"
_FUNCTION = "<function="
_XML_PARAMETERS_TAGS = ParameterTags(
    opener="<parameter=",
    key_closer=">",
    closer="</parameter>",
    call_closer="</function>",
    padding="\n",
    gap="\n",
)
_TAGS_WITHIN = replace(_XML_PARAMETERS_TAGS, enders=(_XML_PARAMETERS_CALL_END, _SEED_CALL_END))


class XmlParameters(MarkedFormat):
    name = "xml-parameters"
    hints = (_XML_PARAMETERS_TAGS.opener,)
    openers = (_XML_PARAMETERS_CALL, _SEED_CALL, _FUNCTION)
    closers = (_XML_PARAMETERS_TAGS.call_closer, _XML_PARAMETERS_CALL_END, _SEED_CALL_END)
    markers = (_XML_PARAMETERS_CALL, _XML_PARAMETERS_CALL_END, _SEED_CALL, _SEED_CALL_END)

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        if opener != _FUNCTION:
            yield from source.space()
            if (yield from source.peek()) in "{[":
                yield from read_objects(source, offered)
                return
            yield from source.expect(_FUNCTION)
        name = yield from read_name(source, offered)
        yield from source.expect(">")
        yield from source.space()
        if (yield from source.peek()) == "{":
            yield from read_json_call(source, offered, name)
        else:
            tags = _XML_PARAMETERS_TAGS if opener == _FUNCTION else _TAGS_WITHIN
            yield from ParameterReader(source, offered, tags).read_arguments(name)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(_call_rule(grammar, tool) for tool in tools))
        return repeated(call, literal("\n"), parallel=parallel)


def _call_rule(grammar: Grammar, tool: ToolSpec) -> str:
    head = literal(f"{_XML_PARAMETERS_CALL}\n{_FUNCTION}{tool.name}>\n")
    return sequence(
        head, parameters_rule(grammar, tool, _XML_PARAMETERS_TAGS), literal("\n" + _XML_PARAMETERS_CALL_END)
    )


class FunctionTag(XmlParameters):
    """Parameters in tags are read too, as the other family of such tags writes them."""

    name = "function-tag"
    hints = ("<function=",)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        calls = (
            sequence(literal(f"<function={tool.name}>"), grammar.arguments(tool), literal("</function>"))
            for tool in tools
        )
        return repeated(grammar.rule(one_of(calls)), r"/\n?/", parallel=parallel)


_GLM_CALL = "<tool_call>"
_GLM_CALL_END = "</tool_call>"
_GLM_TAGS = ParameterTags(
    opener="<arg_key>",
    key_closer="</arg_key>",
    value_opener="<arg_value>",
    closer="</arg_value>",
    call_closer=_GLM_CALL_END,
    gap="\n",
)


class Glm(MarkedFormat):
    name = "glm"
    hints = (_GLM_TAGS.opener,)
    openers = (_GLM_CALL,)
    closers = (_GLM_CALL_END,)
    markers = (
        _GLM_CALL,
        _GLM_CALL_END,
        _GLM_TAGS.opener,
        _GLM_TAGS.key_closer,
        _GLM_TAGS.value_opener,
        _GLM_TAGS.closer,
    )

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from source.space()
        yield from ParameterReader(source, offered, _GLM_TAGS).read_call()

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        calls = (
            sequence(literal(f"{_GLM_CALL}{tool.name}\n"), parameters_rule(grammar, tool, _GLM_TAGS)) for tool in tools
        )
        return repeated(grammar.rule(one_of(calls)), literal("\n"), parallel=parallel)


# Some of the family's templates write every tag with this suffix, others without.
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

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
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


_MINICPM_CALL = '<function name="'
_NAME_END = '">'
_MINICPM_TAGS = ParameterTags(
    opener='<param name="',
    key_closer='">',
    closer="</param>",
    call_closer="</function>",
    quotes=("<![CDATA[", "]]>"),
)


class MiniCpm(MarkedFormat):
    name = "minicpm"
    hints = ('<param name="',)
    openers = (_MINICPM_CALL,)
    closers = (_MINICPM_TAGS.call_closer,)
    markers = ("<function", "</function>", "<param", "</param>")

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from ParameterReader(source, offered, _MINICPM_TAGS).read_call(_NAME_END)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        calls = (
            sequence(literal(f"{_MINICPM_CALL}{tool.name}{_NAME_END}"), parameters_rule(grammar, tool, _MINICPM_TAGS))
            for tool in tools
        )
        return repeated(grammar.rule(one_of(calls)), literal("\n"), parallel=parallel)
