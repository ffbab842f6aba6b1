"""Grammars of arguments that are written one by one: which there are, and in what order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modules.messages import ToolSpec
from modules.reply.formats.lark import Grammar, one_of, sequence
from modules.reply.formats.offered import parameters_of
from modules.reply.formats.schema import Schema


@dataclass(frozen=True, slots=True)
class Parameter:
    """One named value. `is_strict` as of `Grammar.json`."""

    name: str
    schema: Schema
    is_required: bool
    is_strict: bool

    def json_rule(self, grammar: Grammar) -> str:
        return grammar.json(self.schema.node, is_strict=self.is_strict)


def parameters_in(tool: ToolSpec) -> tuple[Parameter, ...]:
    return members_of(Schema(parameters_of(tool)), is_strict=tool.strict)


def members_of(schema: Schema, *, is_strict: bool) -> tuple[Parameter, ...]:
    """The properties of an object, in the schema's order."""
    required = schema.required
    return tuple(Parameter(name, each, name in required, is_strict) for name, each in schema.members.items())


def parameter_list(
    grammar: Grammar, parameters: Sequence[Parameter], rule: Callable[[Parameter], str], separator: str
) -> str:
    """Required parameters and any of the others, in order, each as `rule` writes it, with the expression `separator`
    between."""
    start = rest = '""'
    for parameter in reversed(parameters):
        written = rule(parameter)
        start = sequence(written, rest) if parameter.is_required else one_of((sequence(written, rest), start))
        rest = grammar.rule(sequence(f"({separator} {written}){'' if parameter.is_required else '?'}", rest))
    return start
