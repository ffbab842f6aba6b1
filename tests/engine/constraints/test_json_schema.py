"""JSON schemas: everything they say is enforced or refused, whatever they are made of."""

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.engine.constraints.compiler import Constraints
from modules.errors import BadRequest
from tests.engine.byte_vocabulary import ByteVocabulary
from tests.engine.guiding import generation, json_schema, matches, refusal, waits_for_compilers


@pytest.fixture(scope="module")
def constraints() -> Constraints:
    return Constraints(ByteVocabulary())


def named(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


@pytest.mark.parametrize(
    ("schema", "right", "wrong"),
    [
        (True, ["[1, {}]"], ["x"]),
        (named(a={"type": "integer"}), ['{"a": 1}', '{"a":1}'], ['{"a":  1}', '{"a":\n1}', "{}", '{"a": "1"}']),
        ({"enum": ["é", 1, None, {"b": [1]}]}, ['"é"', "1", "null", '{"b": [1]}'], ['"e"', "2"]),
        ({"type": ["string", "null"], "maxLength": 2}, ["null", '"ab"'], ['"abc"', "1"]),
        ({"type": "integer", "minimum": 3, "exclusiveMaximum": 12}, ["3", "11"], ["2", "12", "3.5"]),
        ({"type": "number", "multipleOf": 0.01}, ["1.25"], ["1.255"]),
        ({"type": "string", "pattern": "^[a-z]+$", "minLength": 2}, ['"ab"'], ['"a"', '"A1"']),
        ({"type": "string", "format": "date"}, ['"2024-02-29"', '"2000-02-29"', '"1990-12-31"'],
         ['"2023-02-29"', '"1900-02-29"', '"2024-13-01"', '"2024-04-31"', '"0000-01-01"']),
        ({"type": "string", "format": "date-time"}, ['"2024-02-29T10:00:59.5Z"'], ['"2024-02-29T10:00:60Z"']),
        ({"type": "string", "format": "password"}, ['"any"'], ["1"]),
        ({"type": "integer", "format": "int32"}, ["7"], ["x"]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}, ["[1, 2]"], ["[1]", "[1,2,3]"]),
        ({"type": "array", "prefixItems": [{"const": 1}], "items": False}, ["[1]"], ["[2]", "[1, 1]"]),
        ({"anyOf": [{"type": "integer"}, named(a={"const": 1})]}, ["5", '{"a": 1}'], ['{"a": 2}', "{}"]),
        (
            {"allOf": [named(a={"type": "integer"}), named(b={"type": "integer"})]},
            ['{"a": 1, "b": 2}'],
            ['{"a": 1}'],
        ),
        (
            {"$ref": "#/$defs/node", "$defs": {"node": {**named(n={"type": "integer"}), "properties": {
                "n": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}}}}},
            ['{"n": 1}', '{"n": 1, "next": {"n": 2}}'],
            ['{"n": 1, "next": {}}'],
        ),
        (
            {"$ref": "#/components/schemas/A", "components": {"schemas": {"A": {"enum": [1]}}}},
            ["1"],
            ["2"],
        ),
    ],
)  # fmt: skip
def test_what_a_schema_says_is_enforced(
    constraints: Constraints, schema: Any, right: list[str], wrong: list[str]
) -> None:
    constraint = json_schema(schema)
    assert [each for each in right if not matches(constraints, constraint, each)] == []
    assert [each for each in wrong if matches(constraints, constraint, each)] == []


def test_named_properties_are_all_there_are(constraints: Constraints) -> None:
    closed = json_schema({"type": "object", "properties": {"a": {}}})
    opened = json_schema({"type": "object", "properties": {"a": {}}, "additionalProperties": True})
    required = json_schema({"type": "object", "properties": {"a": {}}, "required": ["b"]})
    assert not matches(constraints, closed, '{"b": 1}')
    assert matches(constraints, opened, '{"b": 1}')
    assert matches(constraints, required, '{"b": 1}')


def test_properties_may_be_called_like_keywords(constraints: Constraints) -> None:
    names = ("format", "pattern", "uniqueItems", "enum", "required", "default", "x-guidance", "$ref", "not")
    schema = json_schema(named(**{name: {"type": "integer"} for name in names}))
    text = "{" + ", ".join(f'"{name}": 1' for name in names) + "}"
    assert matches(constraints, schema, text)
    assert not matches(constraints, schema, text.replace("1}", '"x"}'))


@pytest.mark.parametrize(
    "annotation",
    [
        {"title": "t", "description": "d", "default": 1, "examples": [1], "$comment": "c", "deprecated": True},
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://example.com/x"},
        {"discriminator": {"propertyName": "a"}, "nullable": True, "example": 1, "x-order": 1},
        {"uniqueItems": False, "unevaluatedProperties": True},
        {"x-guidance": {"lenient": True, "whitespace_flexible": True}},
    ],
)
def test_annotations_change_nothing(constraints: Constraints, annotation: dict[str, Any]) -> None:
    schema = json_schema({**named(a={"type": "integer"}), **annotation})
    assert matches(constraints, schema, '{"a": 1}')
    assert not matches(constraints, schema, '{ "a": 1}')
    assert not matches(constraints, schema, '{"a": "1"}')


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"not": {"type": "string"}},
        {"type": "array", "uniqueItems": True},
        {"if": {"type": "string"}, "then": {"minLength": 1}},
        {"type": "array", "contains": {"const": 1}},
        {"type": "object", "propertyNames": {"pattern": "a"}},
        {"type": "object", "unevaluatedProperties": False},
        {"dependentRequired": {"a": ["b"]}},
        {"x-guidance": {"lenient": True}, "not": {}},
        {"type": "string", "format": "iri"},
        {"type": "string", "pattern": "(?=a)b"},
        {"type": "frobnicate"},
        {"enum": []},
        {"minLength": 3, "maxLength": 2, "type": "string"},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "#/$defs/missing"},
        {"oneOf": [{"type": "number"}, {"type": "integer"}]},
        {"type": "integer", "minimum": -(10**300)},
    ],
)
def test_what_cannot_be_enforced_is_refused(constraints: Constraints, schema: Any) -> None:
    assert refusal(constraints, json_schema(schema))


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        named(a={"$ref": "#"}),
        {"type": "array", "minItems": 1, "items": {"$ref": "#"}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}},
        {"anyOf": [named(a={"$ref": "#"}), {"$ref": "#"}]},
    ],
)
def test_endless_schemas_are_refused(constraints: Constraints, schema: Any) -> None:
    assert "no finite instance" in refusal(constraints, json_schema(schema))


def deep(levels: int) -> Any:
    schema: Any = {"type": "integer"}
    for _ in range(levels):
        schema = {"type": "array", "items": schema}
    return schema


def chained(length: int) -> Any:
    steps: dict[str, Any] = {f"d{number}": named(n={"$ref": f"#/$defs/d{number + 1}"}) for number in range(length)}
    return {"$ref": "#/$defs/d0", "$defs": {**steps, f"d{length}": {"type": "integer"}}}


@pytest.mark.parametrize(
    "schema",
    [
        deep(300),
        chained(3000),
        named(**{f"p{number}": {"type": "string"} for number in range(20_000)}),
        {"enum": ["x" * 600_000]},
        {"type": "object", "patternProperties": {f"^a{number}[a-z]*$": {} for number in range(1000)}},
        {"allOf": [{"type": "string", "pattern": f".*a.{{{number}}}b"} for number in range(30)]},
    ],
    ids=["deep", "chained", "wide", "long", "patterns", "intersection"],
)
def test_huge_schemas_are_refused_within_the_time_of_a_compilation(
    constraints: Constraints, schema: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited = waits_for_compilers(monkeypatch)
    assert refusal(constraints, json_schema(schema))
    assert sum(waited) < 2


def test_large_but_sane_schemas_are_enforced(constraints: Constraints) -> None:
    optional = {"type": "object", "properties": {f"p{number}": {"type": "integer"} for number in range(1000)}}
    assert matches(constraints, json_schema(optional), '{"p7": 1, "p999": 2}')
    assert not matches(constraints, json_schema(optional), '{"p999": 1, "p7": 2}')
    assert matches(constraints, json_schema({"enum": [f"value {number}" for number in range(5000)]}), '"value 4321"')
    assert matches(constraints, json_schema(deep(40)), "[" * 40 + "]" * 40)


KEYWORDS = st.sampled_from(
    ["type", "properties", "items", "$ref", "anyOf", "allOf", "oneOf", "required", "enum", "const", "format", "pattern",
     "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum", "multipleOf", "additionalProperties",
     "patternProperties", "prefixItems", "$defs", "minProperties", "uniqueItems", "x-guidance"]
)  # fmt: skip
WORDS = st.sampled_from(["object", "array", "string", "integer", "#", "#/$defs/a", "a", "date", "[", "iri", ""])
VALUES = st.recursive(
    st.one_of(WORDS, st.integers(-3, 3), st.booleans(), st.none(), st.floats(-2, 2)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYWORDS | WORDS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=2000)
@given(st.dictionaries(KEYWORDS, VALUES, max_size=5))
def test_any_junk_is_enforced_or_refused(schema: dict[str, Any]) -> None:
    with contextlib.suppress(BadRequest):
        Constraints(ByteVocabulary()).prepare(generation(json_schema(schema)))
