"""The request fields that constrain a reply's form → one Constraint. Pure."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from extensions.openai.common.field_types import Anything, RequestModel, known_words
from extensions.openai.structured.enforceable import Enforceable, enforceable
from extensions.openai.structured.schemas import plain_schema
from extensions.openai.structured.tags import structural_tag_constraint
from modules.engine.types import Constraint
from modules.errors import BadRequest

Schema = dict[str, Any] | bool
SchemaOrText = Schema | str
ChoiceTexts = Annotated[list[str], Field(max_length=4096, fail_fast=True)]
# GBNF writes `root ::=`, Lark `start:`; llguidance's directives exist in Lark only.
_LARK: Final = re.compile(r"^\s*(%llguidance\b|start\s*(\[[^\]]*\]\s*)?:(?!:=))", re.MULTILINE)
_ANY_OBJECT: Final[dict[str, Any]] = {"type": "object"}


class JsonSchemaFormat(RequestModel):
    """OpenAI's `json_schema` object. The schema is enforced with and without `strict`; without it, keywords that only
    narrow and cannot be enforced are left out and named."""

    name: str | None = Field(None, description="Accepted, without effect.")
    description: str | None = Field(None, description="Accepted, without effect.")
    schema_: Schema | None = Field(None, alias="schema", description="The JSON schema; absent, any object.")
    strict: bool | None = Field(None, description="True refuses a schema that cannot be enforced whole.")


class ResponseFormat(RequestModel):
    """What the reply has to be: `type` is text, json_object, json_schema or structural_tag."""

    type: str
    json_schema: JsonSchemaFormat | None = Field(None, description="With type json_schema.")
    schema_: Schema | None = Field(None, alias="schema", description="The same as json_schema.schema.")
    structures: Anything = Field(None, description="With type structural_tag: what stands between its tags.")
    triggers: Anything = Field(None, description="With type structural_tag: texts that begin a structure.")
    format: Anything = Field(None, description="With type structural_tag: its newer form.")


class StructuredOutputs(RequestModel):
    """vLLM's newer object, of which exactly one field is set."""

    json_: SchemaOrText | None = Field(None, alias="json", description="A JSON schema, or its text.")
    regex: str | None = Field(None, description="A regular expression that the whole reply matches.")
    choice: ChoiceTexts | None = Field(None, description="The reply is one of these texts.")
    grammar: str | None = Field(None, description="A grammar in GBNF, or in llguidance's Lark.")
    json_object: bool | None = Field(None, description="The reply is any JSON object.")
    structural_tag: Anything = Field(None, description="A structural tag, or its text.")
    whitespace_pattern: str | None = Field(None, description="Not available: 400.")
    disable_any_whitespace: bool | None = Field(None, description="Not available: 400.")
    disable_additional_properties: bool | None = Field(None, description="Not available: 400.")


def none_without_type(value: object) -> object:
    """An object whose type is empty, or an empty text in its place, asks for nothing."""
    return None if value == "" or (isinstance(value, dict) and value.get("type", ...) in ("", None)) else value


class StructuredFields(RequestModel):
    """Every field that says what form the reply must have. A request may set one of them."""

    response_format: Annotated[
        ResponseFormat | None, BeforeValidator(none_without_type, json_schema_input_type=ResponseFormat)
    ] = Field(None, description="OpenAI's structured output.")
    structured_outputs: StructuredOutputs | None = Field(None, description="The same in vLLM's words.")
    guided_json: SchemaOrText | None = Field(None, description="A JSON schema, or its text.")
    guided_regex: str | None = Field(None, description="A regular expression that the whole reply matches.")
    guided_choice: ChoiceTexts | None = Field(None, description="The reply is one of these texts.")
    guided_grammar: str | None = Field(None, description="A grammar in GBNF, or in llguidance's Lark.")
    guided_whitespace_pattern: str | None = Field(None, description="Not available: 400.")
    structural_tag: Anything = Field(None, description="A structural tag, or its text.")
    grammar_string: str | None = Field(None, description="A grammar in GBNF, or in llguidance's Lark.")


def constraint_of(fields: StructuredFields) -> Constraint | None:
    """None where any text will do. Raises BadRequest for what cannot be read, and for two forms at once."""
    _refuse_unavailable(fields)
    found = list(_constraints(fields))
    if len(found) > 1:
        first, second = found[0].param, found[1].param
        raise BadRequest(f"'{first}' and '{second}' both constrain the reply's format. Send one of them.", param=second)
    return found[0] if found else None


def json_schema_constraint(schema: Schema, *, param: str = "response_format", strict: bool = False) -> Constraint:
    """JSON text that is valid under `schema`, all of it if `strict`; whether it can be enforced is found out by the
    engine."""
    text = json.dumps(_enforceable(schema, strict=strict).schema, ensure_ascii=False)
    return Constraint(kind="json_schema", text=text, param=param)


def unenforced_keywords(schema: Schema, path: str, *, strict: bool = False) -> tuple[str, ...]:
    """The places in `schema`, which stands at `path` of the request, of what such a constraint leaves out."""
    return tuple(f"{path}.{place}" for place in _enforceable(schema, strict=strict).dropped)


def unenforced_parts(fields: StructuredFields) -> Iterator[str]:
    """The same for every schema that the fields hold."""
    asked, outputs = fields.response_format, fields.structured_outputs
    if asked is not None and asked.type in ("json_schema", "json_object"):
        inner = asked.json_schema.schema_ if asked.json_schema is not None and asked.type == "json_schema" else None
        path = "response_format.schema" if inner is None else "response_format.json_schema.schema"
        schema = asked.schema_ if inner is None else inner
        yield from unenforced_keywords(schema if schema is not None else {}, path, strict=_is_strict(asked))
    given = {"guided_json": fields.guided_json, "structured_outputs.json": outputs.json_ if outputs else None}
    for path, value in given.items():
        if value is not None and value != "":
            yield from unenforced_keywords(_parsed(value, path) if isinstance(value, str) else value, path)


def _enforceable(schema: Schema, *, strict: bool) -> Enforceable:
    return enforceable(plain_schema(schema), strict=strict)


def _is_strict(asked: ResponseFormat) -> bool:
    return asked.json_schema is not None and asked.json_schema.strict is True


def grammar_constraint(text: str, *, param: str) -> Constraint:
    """GBNF, or Lark where it says `%llguidance` or has a rule `start:`."""
    return Constraint(kind="lark" if _LARK.search(text) else "gbnf", text=text, param=param)


def _constraints(fields: StructuredFields) -> Iterator[Constraint]:
    if fields.response_format is not None and (asked := _of_format(fields.response_format)) is not None:
        yield asked
    if fields.structured_outputs is not None:
        yield from _of_outputs(fields.structured_outputs)
    for param, read in _READERS.items():
        value = getattr(fields, param)
        if value is not None and value != "":
            yield read(value, param)


def _of_format(asked: ResponseFormat) -> Constraint | None:
    match asked.type:
        case "text":
            return None
        case "json_object":
            return json_schema_constraint(_ANY_OBJECT if asked.schema_ is None else asked.schema_)
        case "json_schema":
            return json_schema_constraint(_schema_in(asked), strict=_is_strict(asked))
        case "structural_tag":
            return structural_tag_constraint(asked.model_dump(exclude_none=True), param="response_format")
    raise BadRequest(
        f"response_format.type {asked.type[:40]!r} is unknown. Use text, json_object, json_schema or structural_tag.",
        param="response_format",
    )


def _schema_in(asked: ResponseFormat) -> Schema:
    if asked.json_schema is None and asked.schema_ is None:
        raise BadRequest(
            "response_format of type json_schema needs a json_schema object with a name and a schema.",
            param="response_format",
        )
    inner = asked.json_schema.schema_ if asked.json_schema is not None else None
    return next((schema for schema in (inner, asked.schema_) if schema is not None), _ANY_OBJECT)


def _of_outputs(outputs: StructuredOutputs) -> Iterator[Constraint]:
    param = "structured_outputs"
    for name, read in _OUTPUT_READERS.items():
        value = getattr(outputs, name)
        if value is not None and value != "":
            yield read(value, param)
    if outputs.json_object:
        yield json_schema_constraint(_ANY_OBJECT, param=param)


def _json(schema: SchemaOrText, param: str) -> Constraint:
    return json_schema_constraint(_parsed(schema, param) if isinstance(schema, str) else schema, param=param)


def _parsed(text: str, param: str) -> Schema:
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError):
        raise BadRequest(f"{param} is not valid JSON.", param=param) from None
    if not isinstance(schema, dict | bool):
        raise BadRequest(f"{param} must be a JSON schema: an object.", param=param)
    return schema


def _regex(pattern: str, param: str) -> Constraint:
    return Constraint(kind="regex", text=pattern, param=param)


def _choice(texts: list[str], param: str) -> Constraint:
    if not texts or "" in texts:
        raise BadRequest(f"{param} must hold at least one text, and no empty one.", param=param)
    alternatives = "|".join(re.escape(text) for text in dict.fromkeys(texts))
    return Constraint(kind="regex", text=f"({alternatives})", param=param)


def _grammar(text: str, param: str) -> Constraint:
    return grammar_constraint(text, param=param)


def _tag(tag: object, param: str) -> Constraint:
    return structural_tag_constraint(_parsed(tag, param) if isinstance(tag, str) else tag, param=param)


def _refuse_unavailable(fields: StructuredFields) -> None:
    outputs = fields.structured_outputs
    asked = {
        "guided_whitespace_pattern": fields.guided_whitespace_pattern,
        "structured_outputs.whitespace_pattern": outputs and outputs.whitespace_pattern,
        "structured_outputs.disable_any_whitespace": outputs and outputs.disable_any_whitespace,
        "structured_outputs.disable_additional_properties": outputs and outputs.disable_additional_properties,
    }
    for param, value in asked.items():
        if value:
            raise BadRequest(
                f"'{param}' cannot be changed: JSON is written on one line, with at most one space after a comma "
                "or colon, and objects have no properties but those that their schema names or allows. Leave it out.",
                param=param,
                code="unsupported_parameter",
            )


_Reader = Callable[[Any, str], Constraint]
_READERS: Final[dict[str, _Reader]] = {
    "guided_json": _json,
    "guided_regex": _regex,
    "guided_choice": _choice,
    "guided_grammar": _grammar,
    "structural_tag": _tag,
    "grammar_string": _grammar,
}
_OUTPUT_READERS: Final[dict[str, _Reader]] = {
    "json_": _json,
    "regex": _regex,
    "choice": _choice,
    "grammar": _grammar,
    "structural_tag": _tag,
}


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
