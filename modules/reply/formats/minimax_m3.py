"""MiniMax M3's calls: `<invoke name="NAME"><KEY>VALUE</KEY></invoke>`, a mark before every tag.

Objects have a tag for each member and lists one for each `item`, however deep they are.
"""

import re
from collections.abc import Sequence

from modules.messages import ToolSpec
from modules.reply.formats.base import MarkedFormat
from modules.reply.syntax.lark import Grammar, literal, one_of, repeated, sequence
from modules.reply.syntax.parameters import members_of, text_until
from modules.reply.syntax.reading import give_call, read_name
from modules.reply.syntax.schema import OfferedTools, Schema, escaped, parameters_of, quoted
from modules.reply.syntax.source import MarkerScanner, NotACall, ReplyEnded, ReplySource, Steps, collected
from modules.reply.syntax.values import json_of_text
from modules.reply.tool_format import CallArguments, Text

_MARK = "]<]minimax[>["
_CALLS = f"{_MARK}<tool_call>"
_CALLS_END = f"{_MARK}</tool_call>"
_CALL = f'{_MARK}<invoke name="'
_CALL_END = f"{_MARK}</invoke>"
_NAME_END = '">'
# The tag of an item of a list; a member of that name is told apart by the schema.
_ITEM = "item"
_KEY = re.compile(r"[^<>\s/\"]*")
# Parsing recurses with the reply's nesting, which a model in a loop deepens without end.
_MAX_DEPTH = 64
# Each level multiplies the rules of the grammar.
_MAX_RULE_DEPTH = 5


class MiniMaxM3(MarkedFormat):
    name = "minimax-m3"
    hints = (_MARK,)
    openers = (_CALLS,)
    closers = (_CALL_END, _CALLS_END)
    markers = (_MARK,)

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        yield from source.space()
        yield from source.expect(_CALL)
        while True:
            name = yield from read_name(source, offered)
            yield from source.expect(_NAME_END)
            yield from give_call(source, name, _ArgumentReader(source).arguments(offered.schema(name)))
            source.mark()
            yield from source.space()
            if not (yield from source.literal(_CALL)):
                yield Text(source.unread())
                return

    def calls_rule(self, grammar: Grammar, tools: Sequence[ToolSpec], *, parallel: bool) -> str:
        call = grammar.rule(one_of(_call_rule(grammar, tool) for tool in tools))
        return sequence(literal(_CALLS + "\n"), repeated(call, "", parallel=parallel), literal(_CALLS_END))


class _ArgumentReader:
    """Reads the elements of one call. The tags of an element may occur in its text: a closing tag ends it only where
    another tag follows."""

    def __init__(self, source: ReplySource) -> None:
        self._source = source

    def arguments(self, schema: Schema) -> Steps[None]:
        given: set[str] = set()
        separator = "{"
        while True:
            try:
                key = yield from self._opened(_CALL_END)
            except ReplyEnded:
                if not self._source.is_finished or not given or not schema.required.issubset(given):
                    raise
                key = None
            if key is None:
                break
            given.add(key)
            yield CallArguments(f"{separator}{quoted(key)}: ")
            yield from self._value(key, schema.member(key), 1)
            separator = ", "
        yield CallArguments("}" if given else "{}")

    def _opened(self, end: str) -> Steps[str | None]:
        """The key of the element that begins here, or None where `end` stands, which is read."""
        yield from self._source.space()
        tag = yield from self._source.expect(end, f"{_MARK}<")
        if tag == end:
            return None
        key = yield from self._source.run(_KEY)
        yield from self._source.expect(">")
        if not key:
            raise NotACall
        return key

    def _value(self, key: str, schema: Schema, depth: int) -> Steps[None]:
        """The value of an element behind its opening tag, and its closing tag."""
        if depth > _MAX_DEPTH:
            raise NotACall
        end = f"{_MARK}</{key}>"
        if schema.takes_text:
            yield CallArguments('"')
            yield from self._text(end, escape=True)
            yield CallArguments('"')
            return
        blanks = yield from self._source.space()
        if (yield from self._source.begins(end)) or not (yield from self._source.begins(f"{_MARK}<")):
            self._source.put_back(blanks)
            yield CallArguments(_json_of((yield from collected(self._text(end, escape=False))), schema))
        else:
            yield from self._elements(end, schema, depth)

    def _elements(self, end: str, schema: Schema, depth: int) -> Steps[None]:
        key = yield from self._opened(end)
        is_list = key == _ITEM and "object" not in schema.types
        opener, closer = ("[", "]") if is_list else ("{", "}")
        separator = opener
        while key is not None:
            yield CallArguments(separator if is_list else f"{separator}{quoted(key)}: ")
            yield from self._value(key, schema.items if is_list else schema.member(key), depth + 1)
            separator = ", "
            key = yield from self._opened(end)
        yield CallArguments(closer)

    def _text(self, end: str, *, escape: bool) -> Steps[None]:
        """The text of an element up to the tag that ends it, which is read."""
        scanner = MarkerScanner((end,))

        def piece(text: str) -> CallArguments:
            return CallArguments(escaped(text) if escape else text)

        while True:
            yield from self._source.until(scanner, piece)
            try:
                blanks = yield from self._source.space()
                is_end = yield from self._source.begins(_MARK)
            except ReplyEnded:
                return
            self._source.put_back(blanks)
            if is_end:
                return
            yield piece(end)


def _json_of(text: str, schema: Schema) -> str:
    if not text.strip() and schema.types and "string" not in schema.types:
        return "[]" if "array" in schema.types else "{}" if "object" in schema.types else json_of_text(text, schema)
    return json_of_text(text, schema)


def _call_rule(grammar: Grammar, tool: ToolSpec) -> str:
    members = _members_rule(grammar, Schema(parameters_of(tool)), 0, is_strict=tool.strict)
    return sequence(literal(f"{_CALL}{tool.name}{_NAME_END}"), members, literal(_CALL_END + "\n"))


def _members_rule(grammar: Grammar, schema: Schema, depth: int, *, is_strict: bool) -> str:
    rules = []
    for member in members_of(schema, is_strict=is_strict):
        rule = _element_rule(grammar, member.name, member.schema, depth + 1, is_strict=is_strict)
        rules.append(rule if member.is_required else rule + "?")
    return grammar.rule(sequence(*rules)) if rules else '""'


def _element_rule(grammar: Grammar, key: str, schema: Schema, depth: int, *, is_strict: bool) -> str:
    place, end = schema.referred, f"{_MARK}</{key}>"
    head = literal(f"{_MARK}<{key}>")
    if not place.types or "string" in place.types:
        return sequence(head, text_until(grammar, place, end, is_strict=is_strict))
    if depth < _MAX_RULE_DEPTH and place.types == {"object"} and place.members:
        return sequence(head, _members_rule(grammar, place, depth, is_strict=is_strict), literal(end))
    if depth < _MAX_RULE_DEPTH and place.types == {"array"} and place.items.types:
        item = grammar.rule(_element_rule(grammar, _ITEM, place.items, depth + 1, is_strict=is_strict))
        fewest, most = place.node.get("minItems", 0), place.node.get("maxItems")
        return sequence(head, f"{item}{{{fewest},{'' if most is None else most}}}", literal(end))
    return sequence(head, grammar.json(schema.node, is_strict=is_strict), literal(end))
