"""Structural tags, vLLM's way to constrain parts of a reply, as they come in requests. Pure.

There are two forms: `structures` with `triggers`, and a tree under `format`, of which the first is a special case.
Source: https://docs.vllm.ai/en/latest/features/structured_outputs/
"""

from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from extensions.openai.common.field_types import RequestModel
from extensions.openai.structured.grammar import (
    AnyText,
    Constant,
    JsonText,
    Node,
    OneOf,
    Pattern,
    Separated,
    Sequence,
    Tag,
    Triggered,
    structural_grammar,
)
from modules.engine.types import Constraint
from modules.errors import BadRequest

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
