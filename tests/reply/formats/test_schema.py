"""What a schema says of types and members, through references and compositions."""

from typing import Any

import pytest

from modules.reply.syntax.schema import Schema


@pytest.mark.parametrize(
    ("node", "types"),
    [
        ({}, set()),
        (True, set()),
        ({"type": "integer"}, {"integer"}),
        ({"type": ["string", "null"]}, {"string", "null"}),
        ({"type": "string", "nullable": True}, {"string", "null"}),
        ({"enum": ["a", 1, None, False, 2.5, {}]}, {"string", "integer", "null", "boolean", "number", "object"}),
        ({"const": "a"}, {"string"}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"string", "null"}),
        ({"anyOf": [{"type": "string"}, {}]}, set()),
        ({"oneOf": [{"type": "string"}, {"anyOf": [{"type": "integer"}]}]}, {"string", "integer"}),
        ({"allOf": [{"$ref": "#/$defs/count"}], "description": "how many"}, {"integer"}),
        ({"$ref": "#/$defs/a~1b"}, {"boolean"}),
        ({"$ref": "#/$defs/loop"}, set()),
        ({"$ref": "https://example.org/schema"}, set()),
    ],
)
def test_types(node: Any, types: set[str]) -> None:
    root = {"$defs": {"count": {"type": "integer"}, "a/b": {"type": "boolean"}, "loop": {"$ref": "#/$defs/loop"}}}
    assert Schema(node, root).types == types


def test_members_through_references() -> None:
    root = {
        "$ref": "#/$defs/base",
        "properties": {"own": {"type": "string"}},
        "$defs": {"base": {"properties": {"inner": {"type": "integer"}}, "required": ["inner"]}},
        "additionalProperties": {"type": "boolean"},
    }
    schema = Schema(root)
    assert schema.member("own").types == {"string"}
    assert schema.member("inner").types == {"integer"}
    assert schema.member("other").types == {"boolean"}
    assert set(schema.members) == {"own", "inner"}
    assert schema.required == {"inner"}


def test_a_place_takes_its_definitions_along() -> None:
    root = {"properties": {"a": {"$ref": "#/$defs/x"}, "b": {"type": "string"}}, "$defs": {"x": {"type": "integer"}}}
    assert Schema(root).member("a").node == {"$ref": "#/$defs/x", "$defs": {"x": {"type": "integer"}}}
    assert Schema(root).member("b").node == {"type": "string"}


def test_schemas_that_branch_into_themselves_end() -> None:
    knot = {"anyOf": [{"$ref": "#"}, {"$ref": "#"}, {"allOf": [{"$ref": "#"}, {"type": "string"}]}]}
    assert Schema(knot).types == {"string"}
