"""OpenAI's `text.format` field of the Responses API → a constraint. Pure."""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from extensions.openai.common.field_types import RequestModel, known_words
from extensions.openai.structured.constraint import (
    StructuredFields,
    constraint_of,
    json_schema_constraint,
    none_without_type,
    unenforced_keywords,
)
from modules.engine.types import Constraint
from modules.errors import BadRequest

Verbosity = Annotated[Literal["low", "medium", "high"] | None, known_words("low", "medium", "high")]


class TextFormat(RequestModel):
    """What the reply has to be: `type` is text, json_object or json_schema."""

    type: str
    name: str | None = None
    description: str | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema")
    strict: bool | None = None


class ResponseText(RequestModel):
    format: Annotated[TextFormat | None, BeforeValidator(none_without_type, json_schema_input_type=TextFormat)] = None
    verbosity: Verbosity = Field(None, description="Accepted, without effect.")


_FORMAT_PARAM: Final = "text.format"


def text_constraint(text: ResponseText | None, fields: StructuredFields) -> Constraint | None:
    """From OpenAI's text.format, or else from the fields that other APIs and servers have for it. Raises BadRequest."""
    text_format = text.format if text else None
    match text_format:
        case None | TextFormat(type="text"):
            return constraint_of(fields)
        case TextFormat(type="json_object"):
            return json_schema_constraint({"type": "object"}, param=_FORMAT_PARAM)
        case TextFormat(type="json_schema", schema_=dict(schema)):
            return json_schema_constraint(schema, param=_FORMAT_PARAM, strict=text_format.strict is True)
        case TextFormat(type="json_schema"):
            raise BadRequest("'text.format.schema' is missing.", param=f"{_FORMAT_PARAM}.schema")
    raise BadRequest("text.format.type must be text, json_object or json_schema.", param=f"{_FORMAT_PARAM}.type")


def unenforced_text(text: ResponseText | None) -> tuple[str, ...]:
    """The places of what the reply is not held to, of a schema that is there."""
    match text.format if text else None:
        case TextFormat(type="json_schema", schema_=dict(schema), strict=strict):
            return unenforced_keywords(schema, f"{_FORMAT_PARAM}.schema", strict=strict is True)
    return ()
