"""Calls as JSON in a tag with the function's name: `<function=NAME>JSON</function>`, as Functionary 3.1 writes them and
Llama 3.1 those of custom tools."""

from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.xml_parameters import XmlParameters


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
