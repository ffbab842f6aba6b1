"""Calls as a list in Python: `[NAME(key="value", …), …]`, as Llama 4 writes them, alone where the reply begins or between
marks, and LFM2 between marks of its own."""

from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.calls import give_call, read_name
from modules.reply.formats.json_calls import read_objects
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.parameter_grammar import Parameter, parameter_list, parameters_in
from modules.reply.formats.source import Source
from modules.reply.formats.steps import NotACall, Steps
from modules.reply.formats.values import PYTHON, ValueReader

_OPENERS = ("<|python_start|>", "<|tool_call_start|>")
_CLOSERS = ("<|python_end|>", "<|tool_call_end|>")


class Pythonic(MarkedFormat):
    name = "pythonic"
    hints = ("[func_name1(params_name1=params_value1", *_OPENERS)
    openers = _OPENERS
    closers = _CLOSERS
    markers = (*_OPENERS, *_CLOSERS)

    def read_first(self, source: Source, offered: OfferedTools) -> Steps[None]:
        yield from self.read_calls(source, "", offered)

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from source.space()
        if (yield from source.peek()) == "{":
            # Llama 4's own template asks for JSON.
            yield from read_objects(source, offered)
            return
        yield from source.expect("[")
        is_last = False
        while not is_last:
            yield from source.space()
            yield from _read_call(source, offered)
            is_last = yield from _read_separator(source)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(_call_rule(grammar, tool) for tool in tools))
        return sequence(literal("["), repeated(call, literal(", "), parallel=parallel), literal("]"))


def _read_call(source: Source, offered: OfferedTools) -> Steps[None]:
    name = yield from read_name(source, offered)
    yield from source.expect("(")
    arguments = ValueReader(source, PYTHON).object(offered.schema(name), closer=")", colon="=")
    yield from give_call(source, name, arguments)


def _read_separator(source: Source) -> Steps[bool]:
    """What stands behind a call; whether it was the last."""
    source.mark()
    yield from source.space()
    has_comma = yield from source.literal(",")
    yield from source.space()
    if (yield from source.literal("]")):
        source.commit()
        return True
    if not has_comma:
        raise NotACall
    return False


def _call_rule(grammar: Grammar, tool: ToolSpec) -> str:
    arguments = parameter_list(grammar, parameters_in(tool), lambda each: _argument_rule(grammar, each), literal(", "))
    return sequence(literal(tool.name + "("), arguments, literal(")"))


def _argument_rule(grammar: Grammar, parameter: Parameter) -> str:
    """Values are JSON, which the parser reads as well as Python, but for the word of a lone boolean."""
    is_boolean = parameter.schema.types == {"boolean"}
    value = one_of((literal("True"), literal("False"))) if is_boolean else parameter.json_rule(grammar)
    return sequence(literal(parameter.name + "="), value)
