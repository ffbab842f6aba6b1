"""Arguments that are written one by one, as most formats do: reading them as JSON, and their grammar."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modules.errors import BadRequest
from modules.messages import ToolSpec
from modules.reply.syntax.lark import (
    Grammar,
    between_slashes,
    literal,
    literal_pattern,
    one_of,
    sequence,
    text_without,
    whole_pattern,
)
from modules.reply.syntax.reading import give_call, read_name
from modules.reply.syntax.schema import OfferedTools, Schema, escaped, parameters_of, quoted
from modules.reply.syntax.source import MarkerScanner, NotACall, ReplyEnded, ReplySource, Steps, collected
from modules.reply.syntax.values import json_of_text
from modules.reply.tool_format import CallArguments


def text_until(
    grammar: Grammar, schema: Schema, closer: str, *, padding: str = "", mark: str = "", is_strict: bool = False
) -> str:
    """A string that `schema` allows, `padding`, and `closer`, which does not occur before: nor does its beginning, where
    its first character is repeated behind that. `mark` is what of the closer may be a control token, if not all of it.

    Limits that cannot be enforced are passed over; with `is_strict` they raise BadRequest.
    """
    place = schema.referred
    choices = tuple(each for each in place.choices if isinstance(each, str))
    if choices:
        return sequence(one_of(map(literal, choices)), literal(padding + closer))
    limits = (*_length_limits(place), *_pattern_limits(place, is_strict=is_strict))
    if limits and grammar.may_intersect(len(limits), is_strict=is_strict):
        return _limited_text(grammar, limits, closer, padding, mark)
    text = text_without(_beginning(closer))
    # A closer that is a control token is no text, and stands beside the text; any other is read in one piece with it.
    return one_of(
        sequence(between_slashes(text + literal_pattern(read)), *([literal(rest)] if rest else []))
        for read, rest in _divided(closer, mark)
    )


def _limited_text(grammar: Grammar, limits: tuple[str, ...], closer: str, padding: str, mark: str) -> str:
    text = " & ".join((*map(between_slashes, limits), between_slashes(text_without(_beginning(closer)))))
    padded = f"({text}) {literal(padding)}" if padding else f"({text})"
    return one_of(
        sequence(grammar.terminal(f"{padded} {literal(read)}" if read else padded), *([literal(rest)] if rest else []))
        for read, rest in _divided(closer, mark)
    )


def _beginning(closer: str) -> str:
    """As much of `closer` as has its first character once."""
    again = closer.find(closer[0], 1)
    return closer if again < 0 else closer[:again]


def _divided(closer: str, mark: str) -> tuple[tuple[str, str], ...]:
    """The ways to divide `closer` into what is read in one piece with the text before it, and what is not."""
    place = closer.find(mark) if mark else 0
    return ((closer, ""), (closer[:place], closer[place:]))


def _length_limits(schema: Schema) -> tuple[str, ...]:
    shortest, longest = schema.node.get("minLength", 0), schema.node.get("maxLength")
    if not shortest and longest is None:
        return ()
    return (f"(?s:.{{{shortest},{'' if longest is None else longest}}})",)


def _pattern_limits(schema: Schema, *, is_strict: bool) -> tuple[str, ...]:
    pattern = schema.node.get("pattern")
    if not isinstance(pattern, str):
        return ()
    whole = whole_pattern(pattern)
    if whole is None and is_strict:
        raise BadRequest(
            f"The pattern {pattern!r} of a strict tool cannot be enforced. Write it without look-around, back-references "
            "and anchors other than at its ends, or leave out `strict`.",
            param="tools",
        )
    return () if whole is None else (whole,)


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


_KEY = re.compile(r"[^<>\n\"]*")
_ANYTHING = ["array", "object", "number", "boolean", "null"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterTags:
    """What stands around a parameter: `opener` KEY `key_closer` VALUE `closer`, and all of them before `call_closer`.

    With `padding`, a value stands between two such texts that are not part of it. Grammars put `gap` between tags, where
    any space is read. `typed_closers` are key closers that say the value's JSON type, if it is "string", or that it is
    another. A value may stand between `quotes`, which are read up to the second. `enders` are what only can stand behind
    a call; where there are none, anything can. `mark` is a control token within the tags, if they hold one.
    """

    opener: str
    key_closer: str
    closer: str
    call_closer: str
    value_opener: str = ""
    padding: str = ""
    gap: str = ""
    typed_closers: tuple[tuple[str, str], ...] = ()
    quotes: tuple[str, str] | None = None
    enders: tuple[str, ...] = ()
    mark: str = ""


class ParameterReader:
    """Reads calls whose arguments stand in `tags`.

    The texts of tags may occur in a value. A closing tag ends it only where another parameter or the end of the call
    follows; where the closing tag is missing, the next parameter or the end of the call does.
    """

    def __init__(self, source: ReplySource, offered: OfferedTools, tags: ParameterTags) -> None:
        self._source = source
        self._offered = offered
        self._tags = tags
        ends = (tags.closer, tags.call_closer, tags.opener)
        self._ends = MarkerScanner(dict.fromkeys((*(tags.padding + end for end in ends), *ends)))
        self._key_closers = (tags.key_closer, *(closer for closer, _ in tags.typed_closers))
        self._schema = Schema({})
        self._given: dict[str, str] = {}
        self._key: str | None = None

    def read_call(self, name_closer: str = "") -> Steps[None]:
        """A call from its name on to its end; behind the name stands `name_closer`."""
        name = yield from read_name(self._source, self._offered)
        if name_closer:
            yield from self._source.expect(name_closer)
        yield from self.read_arguments(name)

    def read_arguments(self, name: str) -> Steps[None]:
        """The call of `name`, of which nothing more has been read."""
        self._schema = self._offered.schema(name)
        self._given = {}
        self._key = None
        yield from self._source.space()
        if (yield from self._source.expect(self._tags.opener, self._tags.call_closer)) == self._tags.opener:
            _, self._key = yield from self._read_key()
            if self._key is None:
                raise NotACall
        yield from give_call(self._source, name, self._object())

    def _object(self) -> Steps[None]:
        separator = "{"
        while self._key is not None:
            key = self._key
            yield CallArguments(f"{separator}{quoted(key)}: ")
            yield from self._value(_declared(self._schema.member(key), self._given[key]))
            separator = ", "
        yield CallArguments("}" if self._given else "{}")

    def _read_key(self) -> Steps[tuple[str, str | None]]:
        """What was read of a key and what stands behind it; the key, which is new, or None."""
        source, tags = self._source, self._tags
        read = yield from source.run(_KEY)
        key = read.strip()
        closer = yield from source.literal(*self._key_closers)
        read += closer
        if not closer or not key or key in self._given:
            return read, None
        if tags.value_opener:
            read += yield from source.space()
            opener = yield from source.literal(tags.value_opener)
            read += opener
            if not opener:
                return read, None
        self._given[key] = dict(tags.typed_closers).get(closer, "")
        return read, key

    def _value(self, schema: Schema) -> Steps[None]:
        """The value of a parameter, and the tags behind it, up to the next parameter's value."""
        tags = self._tags
        if tags.padding:
            yield from self._source.literal(tags.padding)
        if schema.takes_text:
            yield CallArguments('"')
            yield from self._text(_escaped)
            yield CallArguments('"')
        else:
            text = yield from collected(self._text(CallArguments))
            yield CallArguments(json_of_text(text, schema))

    def _text(self, piece: Callable[[str], CallArguments]) -> Steps[None]:
        tags = self._tags
        if tags.quotes and (yield from self._source.literal(tags.quotes[0])):
            yield from self._source.until(MarkerScanner((tags.quotes[1] + tags.closer,)), piece)
            self._source.put_back(tags.closer)
        while True:
            marker = yield from self._source.until(self._ends, piece)
            text = yield from self._text_read(marker)
            if text is None:
                return
            body = text.rstrip()
            self._source.put_back(text[len(body) :])
            yield piece(body)

    def _text_read(self, marker: str) -> Steps[str | None]:
        """None where the value ends with `marker`; otherwise what was read of the value to find that out."""
        tag = marker.removeprefix(self._tags.padding)
        try:
            if tag == self._tags.opener:
                return (yield from self._text_of_parameter(marker))
            if tag == self._tags.call_closer:
                return (yield from self._text_of_end(marker, is_closed=False))
            return (yield from self._text_of_closer(marker))
        except ReplyEnded:
            if tag == self._tags.opener or not self._may_end_here:
                raise
            self._key = None
            return None

    @property
    def _may_end_here(self) -> bool:
        return self._source.is_finished and self._schema.required.issubset(self._given)

    def _text_of_closer(self, read: str) -> Steps[str | None]:
        """As `_text_read`, behind the value's own closing tag."""
        source, tags = self._source, self._tags
        read += yield from source.space()
        tag = yield from source.literal(tags.opener, tags.call_closer, *source.closers)
        if tag == tags.opener:
            read_key, self._key = yield from self._read_key()
            return None if self._key is not None else read + tag + read_key
        if tag == tags.call_closer:
            return (yield from self._text_of_end(read + tag, is_closed=True))
        self._key = None
        source.put_back(tag)
        return None if tag and self._schema.required.issubset(self._given) else read

    def _text_of_parameter(self, read: str) -> Steps[str | None]:
        """As `_text_read`, behind the opening tag of another parameter."""
        read_key, key = yield from self._read_key()
        if key is None:
            return read + read_key
        if key not in self._schema.members:
            del self._given[key]
            return read + read_key
        self._key = key
        return None

    def _text_of_end(self, read: str, *, is_closed: bool) -> Steps[str | None]:
        """As `_text_read`, behind what closes a call. Unless the value `is_closed`, nothing but another call may follow."""
        source, tags = self._source, self._tags
        self._key = None
        if is_closed and not tags.enders:
            return None
        read += yield from source.space()
        ender = yield from source.literal(*tags.enders, *source.openers)
        if ender in source.openers or (ender and is_closed):
            source.put_back(ender)
            return None
        while ender:
            read += ender + (yield from source.space())
            ender = yield from source.literal(*source.closers)
        opener = yield from source.literal(*source.openers)
        source.put_back(opener)
        return None if opener else read


def _declared(schema: Schema, kind: str) -> Schema:
    """What is known of a value whose tag says that it is of `kind`."""
    if kind == "string" and (not schema.types or "string" in schema.types):
        return Schema({"type": "string"})
    return Schema({"type": _ANYTHING}) if kind and not schema.types else schema


def _escaped(text: str) -> CallArguments:
    return CallArguments(escaped(text))


def parameters_rule(grammar: Grammar, tool: ToolSpec, tags: ParameterTags) -> str:
    """The arguments of `tool`, in the schema's order, and the end of the call."""
    rules = (_parameter_rule(grammar, parameter, tags) for parameter in parameters_in(tool))
    return sequence(*rules, literal(tags.call_closer))


def _parameter_rule(grammar: Grammar, parameter: Parameter, tags: ParameterTags) -> str:
    value_opener = tags.gap + tags.value_opener if tags.value_opener else ""
    types = parameter.schema.types
    head = literal(tags.opener + parameter.name + _key_closer(tags, types) + value_opener + tags.padding)
    if not types or "string" in types:
        value = text_until(
            grammar,
            parameter.schema,
            tags.closer,
            padding=tags.padding,
            mark=tags.mark,
            is_strict=parameter.is_strict,
        )
    else:
        value = sequence(parameter.json_rule(grammar), literal(tags.padding + tags.closer))
    rule = sequence(head, value, *([literal(tags.gap)] if tags.gap else []))
    return rule if parameter.is_required else rule + "?"


def _key_closer(tags: ParameterTags, types: frozenset[str]) -> str:
    """What stands behind the key of a value that is of one of `types`; text, where it may be that."""
    if not tags.typed_closers:
        return tags.key_closer
    kinds = {kind: closer for closer, kind in tags.typed_closers}
    if not types or "string" in types:
        return kinds["string"]
    names = sorted({"number" if each == "integer" else each for each in types - {"null"}})
    return kinds.get(names[0] if names else "null", tags.typed_closers[-1][0])
