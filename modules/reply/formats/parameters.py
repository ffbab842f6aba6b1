"""Arguments in tags of their own, one for each parameter: how they are read as JSON, and their grammar."""

import re
from dataclasses import dataclass

from modules.messages import ToolSpec
from modules.reply.formats.calls import give_call, read_name
from modules.reply.formats.lark import Grammar, literal, sequence
from modules.reply.formats.markers import MarkerScanner
from modules.reply.formats.offered import OfferedTools
from modules.reply.formats.parameter_grammar import Parameter, parameters_in
from modules.reply.formats.scalars import escaped, quoted
from modules.reply.formats.schema import Schema
from modules.reply.formats.source import Source
from modules.reply.formats.steps import NotACall, Steps, collected
from modules.reply.formats.text_grammar import text_until
from modules.reply.formats.values import json_of_text
from modules.reply.tool_format import CallArguments

_KEY = re.compile(r"[^<>\n\"]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterTags:
    """What stands around a parameter: `opener` KEY `key_closer` VALUE `closer`, and all of them before `call_closer`.

    With `padding`, a value stands between two such texts that are not part of it. Grammars put `gap` between tags, where
    any space is read.
    """

    opener: str
    key_closer: str
    closer: str
    call_closer: str
    value_opener: str = ""
    padding: str = ""
    gap: str = ""


class ParameterReader:
    """Reads calls whose arguments stand in `tags`."""

    def __init__(self, source: Source, offered: OfferedTools, tags: ParameterTags) -> None:
        self._source = source
        self._offered = offered
        self._tags = tags

    def read_call(self, name_closer: str = "") -> Steps[None]:
        """A call from its name on to its end; behind the name stands `name_closer`."""
        name = yield from read_name(self._source, self._offered)
        if name_closer:
            yield from self._source.expect(name_closer)
        yield from self.read_arguments(name)

    def read_arguments(self, name: str) -> Steps[None]:
        """The call of `name`, of which nothing more has been read."""
        tag = yield from self._tag()
        yield from give_call(self._source, name, self._object(tag, self._offered.schema(name)))

    def _tag(self) -> Steps[str]:
        yield from self._source.space()
        return (yield from self._source.expect(self._tags.opener, self._tags.call_closer))

    def _object(self, tag: str, schema: Schema) -> Steps[None]:
        yield CallArguments("{")
        try:
            yield from self._members(tag, schema)
        except NotACall:
            yield CallArguments("}")
            raise
        yield CallArguments("}")

    def _members(self, tag: str, schema: Schema) -> Steps[None]:
        separator = ""
        while tag == self._tags.opener:
            key = yield from self._key()
            yield CallArguments(f"{separator}{quoted(key)}: ")
            yield from self._value(schema.member(key))
            separator = ", "
            tag = yield from self._tag()

    def _key(self) -> Steps[str]:
        key = yield from self._source.run(_KEY)
        yield from self._source.expect(self._tags.key_closer)
        if self._tags.value_opener:
            yield from self._source.space()
            yield from self._source.expect(self._tags.value_opener)
        return key.strip()

    def _value(self, schema: Schema) -> Steps[None]:
        tags = self._tags
        scanner = MarkerScanner(dict.fromkeys((tags.padding + tags.closer, tags.closer)))
        if tags.padding:
            yield from self._source.literal(tags.padding)
        if schema.takes_text:
            yield CallArguments('"')
            yield from self._source.until(scanner, lambda text: CallArguments(escaped(text)))
            yield CallArguments('"')
        else:
            text = yield from collected(self._source.until(scanner, CallArguments))
            yield CallArguments(json_of_text(text, schema))


def parameters_rule(grammar: Grammar, tool: ToolSpec, tags: ParameterTags) -> str:
    """The arguments of `tool`, in the schema's order, and the end of the call."""
    rules = (_parameter_rule(grammar, parameter, tags) for parameter in parameters_in(tool))
    return sequence(*rules, literal(tags.call_closer))


def _parameter_rule(grammar: Grammar, parameter: Parameter, tags: ParameterTags) -> str:
    value_opener = tags.gap + tags.value_opener if tags.value_opener else ""
    head = literal(tags.opener + parameter.name + tags.key_closer + value_opener + tags.padding)
    types = parameter.schema.types
    if not types or "string" in types:
        value = text_until(grammar, parameter.schema, tags.closer, padding=tags.padding, is_strict=parameter.is_strict)
    else:
        value = sequence(parameter.json_rule(grammar), literal(tags.padding + tags.closer))
    rule = sequence(head, value, *([literal(tags.gap)] if tags.gap else []))
    return rule if parameter.is_required else rule + "?"
