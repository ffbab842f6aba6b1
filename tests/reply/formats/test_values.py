"""Values in other notations, or of other types than the schema's, become the JSON that is asked for."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.reply.syntax.schema import Schema
from modules.reply.syntax.values import json_of_literal, json_of_text

NUMBER_OR_TEXT = {"type": ["string", "integer"]}


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("5", {"type": "string"}, "5"),
        ("5", {"type": "integer"}, 5),
        (" 5\n", {"type": "integer"}, 5),
        ("5.0", {"type": "integer"}, 5),
        ("5.5", {"type": "integer"}, "5.5"),
        ("5.5", {"type": "number"}, 5.5),
        ("-1e3", {"type": "number"}, -1000.0),
        ("05", {"type": "integer"}, "05"),
        ("NaN", {"type": "number"}, "NaN"),
        ("٥", {"type": "integer"}, "٥"),
        ("5", NUMBER_OR_TEXT, 5),
        ("five", NUMBER_OR_TEXT, "five"),
        ("True", {"type": "boolean"}, True),
        ("false", {"type": "boolean"}, False),
        ("yes", {"type": "boolean"}, "yes"),
        ("None", {"type": ["string", "null"]}, None),
        ("null", {"type": "string"}, "null"),
        ('["a", 1]', {"type": "array"}, ["a", 1]),
        ("['a', True]", {"type": "array"}, ["a", True]),
        ('{"a": 1}', {"type": "object"}, {"a": 1}),
        ('{"a": 1}', {"type": "string"}, '{"a": 1}'),
        ('{"a": 1}', {}, {"a": 1}),
        ("[1] and more", {}, "[1] and more"),
        ("{}", {"type": "array"}, "{}"),
        ("5", {}, "5"),
        ("true", {}, "true"),
        (" padded ", {}, " padded "),
    ],
)
def test_text_by_schema(text: str, schema: dict[str, Any], value: object) -> None:
    assert json.loads(json_of_text(text, Schema(schema))) == value


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (r'{"a": "\d\u00e9\"\/\x41\'"}', {"a": "\\dé\"/A'"}),
        (r'{"a": "\u12", "b": "\U0001F389"}', {"a": "\\u12", "b": "🎉"}),
        ('{"a": "tab\there\n"}', {"a": "tab\there\n"}),
        ("{a: 1, 'b-c': [1, 2,], }", {"a": 1, "b-c": [1, 2]}),
        ("{ }", {}),
        ("[True, False, None]", [True, False, None]),
        ("[1, 2", None),
        ("[1 2]", None),
        ("{1}", None),
        ("[nope]", None),
        ("[1] x", None),
        ("[" * 100 + "]" * 100, None),
    ],
)
def test_literals(literal: str, value: object) -> None:
    text = json_of_literal(literal, Schema({}))
    assert (text if text is None else json.loads(text)) == value


def test_halves_of_surrogate_pairs_can_be_sent() -> None:
    arguments = json_of_text('{"a": "\\ud83d"}', Schema({}))
    assert json.loads(arguments)["a"] == "\ud83d"
    arguments.encode()
    json_of_literal(r'{"a": "[\"\\ud83d\"]"}', Schema({"properties": {"a": {"type": "array"}}}))


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), values, max_size=4) | st.lists(values, max_size=4), st.booleans())
def test_json_passes_through_as_it_stands(value: object, is_ascii: bool) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii)
    assert json_of_literal(text, Schema({})) == text


@given(st.dictionaries(st.text(), values, max_size=4) | st.lists(values, max_size=4))
def test_python_says_the_same(value: object) -> None:
    text = json_of_literal(repr(value), Schema({}))
    assert text is not None
    assert json.loads(text) == value


@given(st.text(st.sampled_from("{}[](),:='\"\\ \naT1.u")), st.sampled_from([{}, {"type": "array"}, {"type": "object"}]))
def test_anything_becomes_some_json(text: str, schema: dict[str, Any]) -> None:
    json.loads(json_of_text(text, Schema(schema)))
