"""Calls as a function's name and JSON between marks: DeepSeek, Functionary, Kimi K2, Mistral, Solar."""

import re
from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.json_calls import object_rule, read_objects
from modules.reply.syntax.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.syntax.reading import read_json_call, read_name, skip_closers
from modules.reply.syntax.schema import OfferedTools
from modules.reply.syntax.source import ReplySource, Steps

_BARE_NAME_CALL = ">>>"
# The recipient of what is meant for the user.
_TO_USER = "all\n"


class BareName(MarkedFormat):
    name = "bare-name"
    hints = (">>>all", "<|end_header_id|>\\n\\n>>>")
    openers = (_BARE_NAME_CALL,)
    markers = ()

    def read_first(self, source: ReplySource, offered: OfferedTools) -> Steps[None]:
        yield from source.space()
        yield from source.literal(_BARE_NAME_CALL)
        yield from self.read_calls(source, _BARE_NAME_CALL, offered)

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        if (yield from source.literal(_TO_USER)):
            source.commit()
            return
        while True:
            name = yield from read_name(source, offered)
            yield from source.space()
            yield from read_json_call(source, offered, name)
            source.mark()
            yield from source.space()
            yield from source.literal(_BARE_NAME_CALL)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        calls = (sequence(literal(tool.name), r"/\n?/", grammar.arguments(tool)) for tool in tools)
        return repeated(grammar.rule(one_of(calls)), rf"/\n?/ {literal(_BARE_NAME_CALL)}?", parallel=parallel)


_DEEPSEEK_CALLS = "<｜tool▁calls▁begin｜>"
_DEEPSEEK_CALLS_END = "<｜tool▁calls▁end｜>"
_DEEPSEEK_CALL = "<｜tool▁call▁begin｜>"
_DEEPSEEK_CALL_END = "<｜tool▁call▁end｜>"
_SEPARATOR = "<｜tool▁sep｜>"
# Until V3 the word came first; V3.1 left it out.
_KIND = "function" + _SEPARATOR
_FENCE = "```json"
_FENCE_END = "```"


class DeepSeek(MarkedFormat):
    name = "deepseek"
    hints = (_DEEPSEEK_CALL, _DEEPSEEK_CALLS)
    openers = (_DEEPSEEK_CALLS, _DEEPSEEK_CALL)
    closers = (_DEEPSEEK_CALL_END, _DEEPSEEK_CALLS_END)
    markers = (_DEEPSEEK_CALLS, _DEEPSEEK_CALLS_END, _DEEPSEEK_CALL, _DEEPSEEK_CALL_END, _SEPARATOR)

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        if opener == _DEEPSEEK_CALLS:
            yield from source.space()
            yield from source.expect(_DEEPSEEK_CALL)
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
        call = grammar.rule(one_of(_deepseek_call_rule(grammar, tool) for tool in tools))
        calls = repeated(call, r"/\n?/", parallel=parallel)
        return sequence(literal(_DEEPSEEK_CALLS), calls, literal(_DEEPSEEK_CALLS_END))


def _deepseek_call_rule(grammar: Grammar, tool: ToolSpec) -> str:
    arguments = grammar.arguments(tool)
    fenced = sequence(literal(f"{_KIND}{tool.name}\n{_FENCE}\n"), arguments, literal("\n" + _FENCE_END))
    plain = sequence(literal(tool.name + _SEPARATOR), arguments)
    return sequence(literal(_DEEPSEEK_CALL), one_of((plain, fenced)), literal(_DEEPSEEK_CALL_END))


_SECTION = "<|tool_calls_section_begin|>"
_SECTION_END = "<|tool_calls_section_end|>"
_KIMI_CALL = "<|tool_call_begin|>"
_KIMI_ARGUMENTS = "<|tool_call_argument_begin|>"
_KIMI_CALL_END = "<|tool_call_end|>"
_PREFIX = "functions."
# The number counts calls in the conversation and says nothing about this one.
_INDEX = re.compile(r"[:\d]*")


class Kimi(MarkedFormat):
    name = "kimi"
    hints = (_KIMI_CALL,)
    openers = (_SECTION, _KIMI_CALL)
    closers = (_KIMI_CALL_END, _SECTION_END)
    markers = (_SECTION, _SECTION_END, _KIMI_CALL, _KIMI_ARGUMENTS, _KIMI_CALL_END)

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        if opener == _SECTION:
            yield from source.space()
            yield from source.expect(_KIMI_CALL)
        yield from source.space()
        yield from source.literal(_PREFIX)
        name = yield from read_name(source, offered)
        yield from source.run(_INDEX)
        yield from source.space()
        yield from source.expect(_KIMI_ARGUMENTS)
        yield from source.space()
        yield from read_json_call(source, offered, name)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(_kimi_call_rule(grammar, tool) for tool in tools))
        calls = repeated(call, "", parallel=parallel)
        return sequence(literal(_SECTION), calls, literal(_SECTION_END))


def _kimi_call_rule(grammar: Grammar, tool: ToolSpec) -> str:
    head = sequence(literal(f"{_KIMI_CALL}{_PREFIX}{tool.name}:"), "/[0-9]{1,4}/", literal(_KIMI_ARGUMENTS))
    return sequence(head, grammar.arguments(tool), literal(_KIMI_CALL_END))


_MISTRAL_CALLS = "[TOOL_CALLS]"
_CALL_ID = "[CALL_ID]"
_MISTRAL_ARGUMENTS = "[ARGS]"
_MISTRAL_ID = re.compile(r"\w*")


class Mistral(MarkedFormat):
    name = "mistral"
    hints = (_MISTRAL_CALLS,)
    openers = (_MISTRAL_CALLS,)
    markers = (_MISTRAL_CALLS, _CALL_ID, _MISTRAL_ARGUMENTS)

    def read_first(self, source: ReplySource, offered: OfferedTools) -> Steps[None]:
        yield from source.space()
        yield from _read_named(source, offered)

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from source.space()
        if (yield from source.peek()) in "[{":
            yield from read_objects(source, offered)
        else:
            yield from _read_named(source, offered)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        item = grammar.rule(one_of(object_rule(grammar, tool, keys=("arguments",)) for tool in tools))
        listed = sequence(literal(_MISTRAL_CALLS + "["), repeated(item, literal(", "), parallel=parallel), literal("]"))
        named = grammar.rule(one_of(_named_rule(grammar, tool) for tool in tools))
        return one_of((repeated(named, "", parallel=parallel), listed))


def _read_named(source: ReplySource, offered: OfferedTools) -> Steps[None]:
    name = yield from read_name(source, offered)
    if (yield from source.literal(_CALL_ID)):
        yield from source.run(_MISTRAL_ID)
    yield from source.literal(_MISTRAL_ARGUMENTS)
    yield from source.space()
    yield from read_json_call(source, offered, name)


def _named_rule(grammar: Grammar, tool: ToolSpec) -> str:
    return sequence(literal(f"{_MISTRAL_CALLS}{tool.name}{_MISTRAL_ARGUMENTS}"), grammar.arguments(tool))


_START = "<|begin|>assistant"
_END = "<|end|>"
_CONTENT = "<|content|>"
_SOLAR_CALLS = "<|tool_calls|>"
_SOLAR_CALLS_END = "<|calls|>"
_SOLAR_CALL = "<|tool_call:begin|>"
_NAME = "<|tool_call:name|>"
_SOLAR_ARGUMENTS = "<|tool_call:args|>"
_SOLAR_CALL_END = "<|tool_call:end|>"
_SOLAR_ID = re.compile(r"[\w.:-]*")


class Solar(MarkedFormat):
    name = "solar"
    hints = (_SOLAR_CALL, "<|tool_call:name|>")
    openers = (_START, _END, _SOLAR_CALLS, _SOLAR_CALL)
    closers = (_SOLAR_CALL_END, _SOLAR_CALLS_END)
    markers = (
        "<|begin|>",
        _END,
        _CONTENT,
        _SOLAR_CALLS,
        _SOLAR_CALLS_END,
        _SOLAR_CALL,
        _NAME,
        _SOLAR_ARGUMENTS,
        _SOLAR_CALL_END,
    )

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        if opener == _END:
            source.commit()
            return
        if opener == _START and (yield from source.expect(_SOLAR_CALLS, _CONTENT)) == _CONTENT:
            source.commit()
            return
        if opener != _SOLAR_CALL:
            yield from source.space()
            yield from source.expect(_SOLAR_CALL)
        yield from source.run(_SOLAR_ID)
        yield from source.expect(_NAME)
        name = yield from read_name(source, offered)
        yield from source.expect(_SOLAR_ARGUMENTS)
        yield from source.space()
        yield from read_json_call(source, offered, name)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(_solar_call_rule(grammar, tool) for tool in tools))
        calls = repeated(call, "", parallel=parallel)
        return sequence(literal(_START) + "?", literal(_SOLAR_CALLS), calls, literal(_SOLAR_CALLS_END))


def _solar_call_rule(grammar: Grammar, tool: ToolSpec) -> str:
    head = sequence(literal(_SOLAR_CALL), "/[a-z0-9]{1,10}/", literal(f"{_NAME}{tool.name}{_SOLAR_ARGUMENTS}"))
    return sequence(head, grammar.arguments(tool), literal(_SOLAR_CALL_END))
