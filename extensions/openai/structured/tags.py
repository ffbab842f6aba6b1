"""Structural tags, vLLM's way to constrain parts of a reply, and the Lark grammars they mean. Pure."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from extensions.openai.common.field_types import RequestModel
from modules.engine.types import Constraint
from modules.errors import BadRequest

# A dot matches no line break in llguidance's regular expressions.
_ANY: Final = r"/(.|\n)*/"


@dataclass(frozen=True, slots=True)
class Constant:
    text: str


@dataclass(frozen=True, slots=True)
class JsonText:
    schema: dict[str, Any] | bool


@dataclass(frozen=True, slots=True)
class Pattern:
    regex: str


@dataclass(frozen=True, slots=True)
class AnyText:
    """Free text, up to the end of its tag or of the reply."""


@dataclass(frozen=True, slots=True)
class Sequence:
    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class OneOf:
    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Tag:
    begin: str
    content: "Node"
    end: str


@dataclass(frozen=True, slots=True)
class Triggered:
    """Free text until a trigger; from there on one of the tags that begin with it must follow."""

    triggers: tuple[str, ...]
    tags: tuple[Tag, ...]
    at_least_one: bool = False
    stop_after_first: bool = False


@dataclass(frozen=True, slots=True)
class Separated:
    tags: tuple[Tag, ...]
    separator: str
    at_least_one: bool = False
    stop_after_first: bool = False


Node = Constant | JsonText | Pattern | AnyText | Sequence | OneOf | Tag | Triggered | Separated


def structural_grammar(node: Node, param: str) -> str:
    """Raises BadRequest where free text is followed by something that does not end it."""
    writer = _Writer(param)
    body = writer.body(node, is_last=True)
    return "\n".join((f"start: {body}", *writer.rules))


@dataclass(slots=True)
class _Writer:
    param: str
    rules: list[str] = field(default_factory=list)

    def body(self, node: Node, *, is_last: bool) -> str:
        """`is_last`: nothing follows `node` in the reply."""
        match node:
            case Constant(text):
                written = _quoted(text)
            case JsonText(schema):
                written = _json(schema)
            case Pattern(regex):
                written = self._rule("pattern", f"/{_in_slashes(regex)}/")
            case AnyText():
                self._check_last(is_last)
                written = self._rule("text", _ANY)
            case Sequence(parts):
                ends = [is_last and number == len(parts) for number in range(1, len(parts) + 1)]
                written = _all(self.body(part, is_last=end) for part, end in zip(parts, ends, strict=True))
            case OneOf(parts):
                written = _any(self.body(part, is_last=is_last) for part in parts)
            case Tag():
                written = self._tag(node, node.begin, is_last=is_last)
            case Triggered():
                self._check_last(is_last)
                written = self._triggered(node)
            case Separated():
                written = self._separated(node)
        return written

    def _tag(self, tag: Tag, begin: str, *, is_last: bool) -> str:
        """`begin` is what is left of the tag's own beginning."""
        if isinstance(tag.content, AnyText) and tag.end:
            # Lazy, so that the text ends at the first end mark, as whoever reads the reply will cut it.
            content = self._rule("text", f"{_ANY} {_quoted(tag.end)}", options="[lazy]")
            return _all([_quoted(begin), content])
        content = self.body(tag.content, is_last=is_last and not tag.end)
        return _all([_quoted(begin), content, _quoted(tag.end)])

    def _triggered(self, node: Triggered) -> str:
        groups: dict[str, list[Tag]] = {}
        for tag in node.tags:
            groups.setdefault(self._trigger_of(tag, node.triggers), []).append(tag)
        tags = _any(self._group(trigger, group) for trigger, group in groups.items())
        last = self._rule("text", _ANY)
        if node.stop_after_first:
            return tags if node.at_least_one else f"({tags} | {last})"
        return f"{tags}{'+' if node.at_least_one else '*'} {last}"

    def _group(self, trigger: str, tags: list[Tag]) -> str:
        text = self._rule("trigger", f"{_ANY} {_quoted(trigger)}", options="[lazy]")
        return _all([text, _any(self._tag(tag, tag.begin[len(trigger) :], is_last=False) for tag in tags)])

    def _trigger_of(self, tag: Tag, triggers: tuple[str, ...]) -> str:
        for trigger in triggers:
            if tag.begin.startswith(trigger):
                return trigger
        raise BadRequest(f"No trigger of {self.param} begins the tag {tag.begin[:40]!r}.", param=self.param)

    def _separated(self, node: Separated) -> str:
        tags = self._rule("tags", _any(self._tag(tag, tag.begin, is_last=False) for tag in node.tags))
        many = tags if node.stop_after_first else f"{tags} ({_all([_quoted(node.separator), tags])})*"
        return f"({many})" if node.at_least_one else f"({many})?"

    def _check_last(self, is_last: bool) -> None:
        if not is_last:
            raise BadRequest(
                f"In {self.param} something follows free text that does not say where it ends. Put free text in a tag "
                "with an end, or at the end of the reply.",
                param=self.param,
            )

    def _rule(self, name: str, body: str, *, options: str = "") -> str:
        named = f"{name}_{len(self.rules)}"
        self.rules.append(f"{named}{options}: {body}")
        return named


def _json(schema: dict[str, Any] | bool) -> str:
    return f"%json {json.dumps(schema if isinstance(schema, dict) else {'anyOf': [schema]}, ensure_ascii=False)}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if text else ""


def _in_slashes(regex: str) -> str:
    """A slash ends a regular expression in Lark, unless it is escaped; so does the end of a line."""
    escaped, is_escaped = [], False
    for character in regex:
        escaped.append({"/": "\\/", "\n": "\\n"}.get(character, character) if not is_escaped else character)
        is_escaped = character == "\\" and not is_escaped
    return "".join(escaped)


def _all(parts: Iterable[str]) -> str:
    return " ".join(part for part in parts if part) or '""'


def _any(parts: Iterable[str]) -> str:
    return f"({' | '.join(parts)})"


# Each part becomes a rule of the grammar, whose compile time grows with them.
_MAX_PARTS: Final = 256
_Schema = dict[str, Any] | bool
_Text = Annotated[str, Field(min_length=1, max_length=4096)]


class ConstStringFormat(RequestModel):
    type: Literal["const_string"]
    value: _Text

    def node(self) -> Node:
        return Constant(self.value)


class JsonSchemaTagFormat(RequestModel):
    type: Literal["json_schema"]
    json_schema: _Schema

    def node(self) -> Node:
        return JsonText(self.json_schema)


class RegexFormat(RequestModel):
    type: Literal["regex"]
    pattern: _Text

    def node(self) -> Node:
        return Pattern(self.pattern)


class AnyTextFormat(RequestModel):
    type: Literal["any_text"]

    def node(self) -> Node:
        return AnyText()


class SequenceFormat(RequestModel):
    type: Literal["sequence"]
    elements: list["TagFormat"] = Field(min_length=1, max_length=_MAX_PARTS)

    def node(self) -> Node:
        return Sequence(tuple(element.node() for element in self.elements))


class OrFormat(RequestModel):
    type: Literal["or"]
    elements: list["TagFormat"] = Field(min_length=1, max_length=_MAX_PARTS)

    def node(self) -> Node:
        return OneOf(tuple(element.node() for element in self.elements))


class OneTag(RequestModel):
    """`begin`, then the content, then `end`."""

    type: Literal["tag"] = "tag"
    begin: str = Field(max_length=4096)
    content: "TagFormat"
    end: str = Field(max_length=4096)

    def node(self) -> Tag:
        return Tag(self.begin, self.content.node(), self.end)


class TriggeredTagsFormat(RequestModel):
    type: Literal["triggered_tags"]
    triggers: list[_Text] = Field(min_length=1, max_length=_MAX_PARTS)
    tags: list[OneTag] = Field(min_length=1, max_length=_MAX_PARTS)
    at_least_one: bool = False
    stop_after_first: bool = False

    def node(self) -> Node:
        tags = tuple(tag.node() for tag in self.tags)
        return Triggered(tuple(self.triggers), tags, self.at_least_one, self.stop_after_first)


class TagsWithSeparatorFormat(RequestModel):
    type: Literal["tags_with_separator"]
    tags: list[OneTag] = Field(min_length=1, max_length=_MAX_PARTS)
    separator: str = Field(max_length=4096)
    at_least_one: bool = False
    stop_after_first: bool = False

    def node(self) -> Node:
        tags = tuple(tag.node() for tag in self.tags)
        return Separated(tags, self.separator, self.at_least_one, self.stop_after_first)


TagFormat = Annotated[
    ConstStringFormat
    | JsonSchemaTagFormat
    | RegexFormat
    | AnyTextFormat
    | SequenceFormat
    | OrFormat
    | OneTag
    | TriggeredTagsFormat
    | TagsWithSeparatorFormat,
    Field(discriminator="type"),
]


class FormatTag(RequestModel):
    format: TagFormat

    def node(self) -> Node:
        return self.format.node()


class Structure(RequestModel):
    """`begin`, then JSON under `schema`, then `end`."""

    begin: _Text
    schema_: _Schema = Field(True, alias="schema")
    end: str = Field(max_length=4096)


class StructuresTag(RequestModel):
    structures: list[Structure] = Field(min_length=1, max_length=_MAX_PARTS)
    triggers: list[_Text] = Field(min_length=1, max_length=_MAX_PARTS)

    def node(self) -> Node:
        tags = tuple(Tag(each.begin, JsonText(each.schema_), each.end) for each in self.structures)
        return Triggered(tuple(self.triggers), tags)


def structural_tag_constraint(tag: object, *, param: str) -> Constraint:
    """Raises BadRequest for what is no structural tag, and for one that no grammar can express."""
    has_format = isinstance(tag, dict) and tag.get("format") is not None
    # Not a union of both: its error would name the fields of the form that was not meant.
    kind: TypeAdapter[FormatTag | StructuresTag] = TypeAdapter(FormatTag if has_format else StructuresTag)
    try:
        node = kind.validate_python(tag).node()
    except ValidationError as error:
        place = ".".join(str(step) for step in error.errors()[0]["loc"])
        raise BadRequest(
            f"{param} is no structural tag: it needs 'format', or 'structures', each with begin, schema and end, and "
            f"'triggers' (look at {place[:80] or 'its form'}).",
            param=param,
        ) from None
    except RecursionError:
        raise BadRequest(f"{param} is nested too deeply.", param=param) from None
    return Constraint(kind="lark", text=structural_grammar(node, param), param=param)
