"""Schemas as generators write them: enforced, or what only narrows left out and named."""

import json
from typing import Any

import jsonschema
import pytest

from extensions.openai.structured.enforceable import enforceable
from extensions.openai.structured.schemas import are_disjoint
from modules.engine.constraints.compiler import Constraints
from tests.api.serving import CHAT, TEXT, Served, says
from tests.engine.byte_vocabulary import ByteVocabulary
from tests.engine.guiding import generation, json_schema, matches

TEXTS = {"type": "string"}
NUMBERS = {"type": "integer"}
RECORD = {"type": "object", "additionalProperties": NUMBERS}
EMAIL = r"^(?!\.)(?!.*\.\.)([A-Za-z0-9_'+\-\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\-]*\.)+[A-Za-z]{2,}$"  # of zod
DECIMAL = r"^(?!^[-+.]*$)[+-]?0*\d*\.?\d*$"  # of pydantic


@pytest.fixture(scope="module")
def constraints() -> Constraints:
    return Constraints(ByteVocabulary())


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        ({**RECORD, "propertyNames": TEXTS}, ['{"x": 1}', "{}"], ['{"x": "1"}', "[]"]),
        ({**RECORD, "propertyNames": {"type": "string", "title": "Key"}}, ['{"x": 1}'], ['{"x": ""}']),
        ({**RECORD, "propertyNames": {"enum": ["a", "b"]}}, ['{"a": 1}', '{"a": 1, "b": 2}'], ['{"c": 1}', '{"a": ""}']),
        ({**RECORD, "propertyNames": {"type": "string", "enum": ["a"]}, "required": ["a"]}, ['{"a": 1}'], ["{}"]),
        ({**RECORD, "propertyNames": {"anyOf": [{"const": "a"}, {"enum": ["b"]}]}}, ['{"b": 1}'], ['{"c": 1}']),
        ({**RECORD, "propertyNames": {"type": "string", "pattern": "^[a-z]+$"}}, ['{"ab": 1}', "{}"], ['{"A": 1}']),
        ({**RECORD, "propertyNames": {"minLength": 2, "maxLength": 3}}, ['{"ab": 1, "abc": 2}'], ['{"a": 1}', '{"abcd": 1}']),
        ({**RECORD, "propertyNames": {"minLength": 1}, "minProperties": 1}, ['{"a": 1}'], ['{"": 1}', "{}"]),
        ({**RECORD, "propertyNames": {"format": "uuid"}}, ['{"123e4567-e89b-12d3-a456-426614174000": 1}'], ['{"x": 1}']),
        ({**RECORD, "properties": {"B": TEXTS}, "propertyNames": {"pattern": "^[a-z]$"}}, ['{"b": 1}'], ['{"B": "x"}']),
        ({"type": "object", "properties": {"a": TEXTS}, "unevaluatedProperties": False}, ['{"a": "x"}'], ['{"b": 1}']),
        ({"type": "array", "prefixItems": [NUMBERS], "unevaluatedItems": False}, ["[1]"], ["[1, 1]"]),
        ({"type": "object", "properties": {"a": TEXTS, "b": {"not": {}}}, "additionalProperties": {"not": {}}},
         ['{"a": "x"}'], ['{"b": 1}', '{"c": 1}']),
        ({"anyOf": [NUMBERS, {"not": {}}]}, ["1"], ['"x"']),
        ({"type": "string", "pattern": EMAIL, "format": "email"}, ['"a.b@c.de"'], ['".a@c.de"', '"a..b@c.de"', '"a@c"']),
        ({"anyOf": [{"type": "number"}, {"type": "string", "pattern": DECIMAL}]}, ["1", '"-1.5"', '".5"'], ['"."', '"+-"', '""']),
        ({"$recursiveAnchor": True, "type": "object", "properties": {"c": {"type": "array", "items": {"$recursiveRef": "#"}}}},
         ['{"c": [{"c": []}]}'], ['{"c": [1]}']),
        ({"$dynamicAnchor": "n", "type": "object", "properties": {"c": {"type": "array", "items": {"$dynamicRef": "#n"}}}},
         ['{"c": [{"c": []}]}'], ['{"c": [1]}']),
        ({"type": "array", "items": NUMBERS, "uniqueItems": False, "contains": {"const": 1}, "minContains": 0}, ["[]"], ['[""]']),
        ({"type": "array", "items": NUMBERS, "uniqueItems": True, "maxItems": 1}, ["[1]"], ["[1, 2]"]),
        ({"type": "string", "minLength": 2.0}, ['"ab"'], ['"a"']),
        ({"type": "any", "enum": [1, "a"]}, ["1"], ["2"]),
        ({"oneOf": [{"type": "object", "properties": {"t": {"const": "a"}}, "required": ["t"]},
                    {"type": "object", "properties": {"t": {"const": "b"}}, "required": ["t"]}],
          "discriminator": {"propertyName": "t"}}, ['{"t": "a"}', '{"t": "b"}'], ['{"t": "c"}', "{}"]),
        ({"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png", "readOnly": True}, ['"x"'], ["1"]),
    ],
)  # fmt: skip
def test_what_can_be_said_otherwise_is_enforced(
    constraints: Constraints, schema: dict[str, Any], right: list[str], wrong: list[str], strict: bool
) -> None:
    read = enforceable(schema, strict=strict)
    assert read.dropped == ()
    assert [each for each in right if not matches(constraints, json_schema(read.schema), each)] == []
    assert [each for each in wrong if matches(constraints, json_schema(read.schema), each)] == []
    if not {"$recursiveAnchor", "$dynamicAnchor"} & schema.keys() and schema.get("type") != "any":
        assert all(jsonschema.Draft202012Validator(schema).is_valid(json.loads(each)) for each in right)


NARROWED: list[tuple[dict[str, Any], list[str]]] = [
    ({"type": "array", "items": TEXTS, "uniqueItems": True}, ["uniqueItems"]),
    ({"type": "array", "items": TEXTS, "contains": {"const": "x"}, "minContains": 2}, ["contains", "minContains"]),
    ({"type": "object", "properties": {"a": {"not": {"const": "x"}}}}, ["properties.a.not"]),
    ({"type": "object", "properties": {"a": TEXTS}, "dependentRequired": {"a": ["b"]}}, ["dependentRequired"]),
    ({"type": "object", "properties": {"a": TEXTS}, "dependencies": {"a": ["b"]}}, ["dependencies"]),
    ({"type": "object", "properties": {"a": TEXTS}, "if": {"required": ["a"]}, "then": {}}, ["if", "then"]),
    ({**RECORD, "propertyNames": {"$ref": "#/$defs/k"}, "$defs": {"k": {"enum": ["a"]}}}, ["propertyNames"]),
    ({**RECORD, "properties": {"a": TEXTS}, "propertyNames": {"pattern": "^[a-z]$"}}, ["propertyNames"]),
    ({"type": "string", "pattern": "^(?=.*a).+$"}, ["pattern"]),
    ({"type": "string", "pattern": r"(a)\1"}, ["pattern"]),
    ({"oneOf": [{"type": "integer"}, {"type": "number"}]}, ["oneOf"]),
    ({"$ref": "#/$defs/a", "unevaluatedProperties": False, "$defs": {"a": RECORD}}, ["unevaluatedProperties"]),
]


@pytest.mark.parametrize(("schema", "dropped"), NARROWED)
def test_what_only_narrows_is_left_out_and_named(
    constraints: Constraints, schema: dict[str, Any], dropped: list[str]
) -> None:
    read = enforceable(schema, strict=False)
    assert list(read.dropped) == dropped
    constraints.prepare(generation(json_schema(read.schema)))
    assert enforceable(schema, strict=True).dropped == ()


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("name", ["iri", "regex", "json-pointer", "uri-reference", "idn-email"])
def test_formats_are_annotations(name: str, strict: bool) -> None:
    read = enforceable({"type": "string", "format": name}, strict=strict)
    assert (read.schema, read.dropped) == ({"type": "string"}, ("format",))


@pytest.mark.parametrize(
    "schema", [{"not": {"type": "null"}}, {"uniqueItems": True}, {"if": {}, "then": {"minLength": 1}}]
)
def test_something_is_left_to_hold_a_reply_to(schema: dict[str, Any]) -> None:
    assert enforceable(schema, strict=False).schema == schema


@pytest.mark.parametrize("schema", [True, False, {}, {"enum": []}, {"type": "frobnicate"}, {"$ref": "https://x.y/z"}])
def test_everything_else_is_left_as_it_is(schema: Any) -> None:
    assert enforceable(schema, strict=False).schema == schema


def test_names_are_shown_only_where_they_are_plain() -> None:
    hostile = {
        "a\r\nSet-Cookie: x": {"type": "array", "uniqueItems": True},
        "ok": {"type": "array", "uniqueItems": True},
    }
    dropped = enforceable({"type": "object", "properties": hostile}, strict=False).dropped
    assert dropped == ("properties.?.uniqueItems", "properties.ok.uniqueItems")
    many = {f"p{number}": {"type": "array", "uniqueItems": True} for number in range(1000)}
    assert len(enforceable({"type": "object", "properties": many}, strict=False).dropped) == 20


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([TEXTS, NUMBERS], True),
        ([{"type": ["string", "null"]}, NUMBERS], True),
        ([{"enum": ["a"]}, {"const": "b"}], True),
        ([{"type": "integer"}, {"type": "number"}], False),
        ([{"enum": ["a", "b"]}, {"const": "b"}], False),
        ([TEXTS, {}], False),
        ([TEXTS, True], False),
        ([{"$ref": "#/a"}, {"$ref": "#/b"}], False),
    ],
)
def test_alternatives_that_exclude_each_other(parts: list[Any], expected: bool) -> None:
    assert are_disjoint(parts) is expected


def form(schema: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "r", "schema": schema, **fields}}


SETS = {"type": "object", "properties": {"tags": {"type": "array", "items": TEXTS, "uniqueItems": True}}}
PLACE = "properties.tags.uniqueItems"


@pytest.mark.parametrize(
    ("path", "body", "named"),
    [
        (CHAT, says("x", response_format=form(SETS)), f"response_format.json_schema.schema.{PLACE}"),
        (CHAT, says("x", guided_json=SETS), f"guided_json.{PLACE}"),
        (CHAT, says("x", guided_json=json.dumps(SETS)), f"guided_json.{PLACE}"),
        (TEXT, {"prompt": "x", "structured_outputs": {"json": SETS}}, f"structured_outputs.json.{PLACE}"),
        (
            "/v1/responses",
            {"input": "x", "text": {"format": {"type": "json_schema", "name": "r", "schema": SETS}}},
            f"text.format.schema.{PLACE}",
        ),
        (
            "/v1/messages",
            {**says("x"), "max_tokens": 50, "output_config": {"format": {"type": "json_schema", "schema": SETS}}},
            f"output_config.format.schema.{PLACE}",
        ),
    ],
)
async def test_the_answer_names_it(api: Served, path: str, body: dict[str, Any], named: str) -> None:
    response = await api.post(path, body)
    assert response.status_code == 200, response.text
    assert response.headers["x-ignored-parameters"] == named


async def test_who_relies_on_the_whole_schema_is_refused(api: Served) -> None:
    refused = await api.post(CHAT, says("x", response_format=form(SETS, strict=True)))
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "response_format")
    assert "uniqueItems" in refused.json()["error"]["message"]
    strict = form({**RECORD, "propertyNames": TEXTS}, strict=True)
    answer = await api.post(CHAT, says("count 3", response_format=strict, max_tokens=40))
    assert answer.status_code == 200
    assert "x-ignored-parameters" not in answer.headers
