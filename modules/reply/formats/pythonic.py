"""Calls as Python writes them, `[NAME(key="value", …), …]`: Llama 4, LFM2, Olmo 3.

Llama 4 writes them where the reply begins or between marks, LFM2 between marks of its own, Olmo 3 in a tag with a call
in each line.
"""

from collections.abc import Sequence
from typing import ClassVar

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.json_calls import read_objects
from modules.reply.syntax.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.syntax.parameters import Parameter, parameter_list, parameters_in
from modules.reply.syntax.reading import give_call, read_name
from modules.reply.syntax.schema import OfferedTools
from modules.reply.syntax.source import NotACall, ReplySource, Steps
from modules.reply.syntax.values import PYTHON, ValueReader
from modules.reply.tool_format import Text

_MARKS = ("<|python_start|>", "<|python_end|>")
_LFM_MARKS = ("<|tool_call_start|>", "<|tool_call_end|>")
_TAGS = ("<function_calls>", "</function_calls>")
_SEPARATORS = (",", ";")


class Pythonic(MarkedFormat):
    name = "pythonic"
    hints: ClassVar[tuple[str, ...]] = ("[func_name1(params_name1=params_value1", _MARKS[0])
    openers: ClassVar[tuple[str, ...]] = (_MARKS[0], _LFM_MARKS[0])
    closers: ClassVar[tuple[str, ...]] = (_MARKS[1], _LFM_MARKS[1])
    markers: ClassVar[tuple[str, ...]] = (*_MARKS, *_LFM_MARKS)

    def read_first(self, source: ReplySource, offered: OfferedTools) -> Steps[None]:
        yield from source.space()
        # Llama 4's own template asks for JSON.
        if (yield from source.peek()) not in "[{":
            raise NotACall
        yield from _read_calls(source, offered)

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from source.space()
        yield from _read_calls(source, offered)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(_call_rule(grammar, tool) for tool in tools))
        return sequence(literal("["), repeated(call, literal(", "), parallel=parallel), literal("]"))


class Lfm2(Pythonic):
    name = "lfm2"
    # Older templates of the family name no calls, only the list of tools.
    hints = (*_LFM_MARKS, "<|tool_list_start|>", "List of tools: [")

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        return sequence(
            literal(_LFM_MARKS[0]), super().calls_rule(grammar, tools, parallel=parallel), literal(_LFM_MARKS[1])
        )


class Olmo(Pythonic):
    name = "olmo"
    hints = _TAGS
    openers = (_TAGS[0],)
    closers = (_TAGS[1],)
    markers = _TAGS

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(_call_rule(grammar, tool) for tool in tools))
        calls = repeated(call, literal("\n"), parallel=parallel)
        return sequence(literal(_TAGS[0] + "\n"), calls, literal("\n" + _TAGS[1]))


def _read_calls(source: ReplySource, offered: OfferedTools) -> Steps[None]:
    """A list of calls in Python or JSON, or such calls one after the other."""
    is_list = bool((yield from source.literal("[")))
    yield from source.space()
    if (yield from source.peek()) == "{":
        yield from read_objects(source, offered, is_list=is_list)
        return
    while True:
        yield from _read_call(source, offered)
        source.mark()
        blanks = yield from source.space()
        if is_list and (yield from source.literal("]", *source.closers)):
            source.commit()
            return
        separator = yield from source.literal(*_SEPARATORS)
        yield from source.space()
        if is_list and separator and (yield from source.literal("]")):
            source.commit()
            return
        if not separator and (is_list or "\n" not in blanks):
            break
        if not (yield from source.begins(*offered.names)):
            break
    yield Text(source.unread())


def _read_call(source: ReplySource, offered: OfferedTools) -> Steps[None]:
    name = yield from read_name(source, offered)
    yield from source.expect("(")
    arguments = ValueReader(source, PYTHON).object(offered.schema(name), closer=")", colon="=")
    yield from give_call(source, name, arguments)


def _call_rule(grammar: Grammar, tool: ToolSpec) -> str:
    arguments = parameter_list(grammar, parameters_in(tool), lambda each: _argument_rule(grammar, each), literal(", "))
    return sequence(literal(tool.name + "("), arguments, literal(")"))


def _argument_rule(grammar: Grammar, parameter: Parameter) -> str:
    """Values are JSON, which the parser reads as well as Python, but for the word of a lone boolean."""
    is_boolean = parameter.schema.types == {"boolean"}
    value = one_of((literal("True"), literal("False"))) if is_boolean else parameter.json_rule(grammar)
    return sequence(literal(parameter.name + "="), value)
