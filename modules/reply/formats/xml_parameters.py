"""Calls of Qwen3-Coder and Qwen 3.5: `<tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>`,
with a line break on either side of each value.

Seed-OSS writes the same in an outer tag of its own. JSON instead of parameters is read too, in any of the tags: these
models, and older ones of the family, slip into it.
"""

from collections.abc import Sequence
from dataclasses import replace

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.formats.calls import read_json_call, read_name
from modules.reply.formats.json_calls import read_objects
from modules.reply.formats.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.parameters import ParameterReader, ParameterTags, parameters_rule
from modules.reply.formats.source import Source
from modules.reply.formats.steps import Steps

_CALL = "<tool_call>"
_CALL_END = "</tool_call>"
_SEED_CALL = "<seed:tool_call>"
_SEED_CALL_END = "</seed:tool_call>"
_FUNCTION = "<function="
_TAGS = ParameterTags(
    opener="<parameter=",
    key_closer=">",
    closer="</parameter>",
    call_closer="</function>",
    padding="\n",
    gap="\n",
)
_TAGS_WITHIN = replace(_TAGS, enders=(_CALL_END, _SEED_CALL_END))


class XmlParameters(MarkedFormat):
    name = "xml-parameters"
    hints = (_TAGS.opener,)
    openers = (_CALL, _SEED_CALL, _FUNCTION)
    closers = (_TAGS.call_closer, _CALL_END, _SEED_CALL_END)
    markers = (_CALL, _CALL_END, _SEED_CALL, _SEED_CALL_END)

    def read_calls(self, source: Source, opener: str, offered: OfferedTools) -> Steps[None]:
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
            tags = _TAGS if opener == _FUNCTION else _TAGS_WITHIN
            yield from ParameterReader(source, offered, tags).read_arguments(name)

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(_call_rule(grammar, tool) for tool in tools))
        return repeated(call, literal("\n"), parallel=parallel)


def _call_rule(grammar: Grammar, tool: ToolSpec) -> str:
    head = literal(f"{_CALL}\n{_FUNCTION}{tool.name}>\n")
    return sequence(head, parameters_rule(grammar, tool, _TAGS), literal("\n" + _CALL_END))
