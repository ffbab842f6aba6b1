"""Which constraint each request field asks for, and what is refused before any model is asked."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from extensions.openai.structured.constraint import StructuredFields, constraint_of, json_schema_constraint
from modules.engine.constraints.compiler import Constraints
from modules.engine.types import Constraint
from modules.errors import BadRequest
from tests.engine.byte_vocabulary import ByteVocabulary
from tests.engine.guiding import matches

SCHEMA = {"type": "object", "properties": {"ä": {"type": "integer"}}, "required": ["ä"]}
ANY_OBJECT = {"type": "object"}
TAG = {
    "structures": [
        {"begin": "<f=a>", "schema": SCHEMA, "end": "</f>"},
        {"begin": "<f=b>", "schema": {"const": 1}, "end": "</f>"},
        {"begin": "[[", "schema": {"const": 2}, "end": ""},
    ],
    "triggers": ["<f=", "[["],
}


def read(**body: Any) -> Constraint | None:
    return constraint_of(StructuredFields.model_validate(body))


def schema_in(constraint: Constraint | None) -> Any:
    assert constraint is not None
    assert constraint.kind == "json_schema"
    return json.loads(constraint.text)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"response_format": None},
        {"response_format": {"type": "text"}},
        {"grammar_string": "", "guided_regex": "", "guided_json": None, "structured_outputs": {}},
        {"structured_outputs": {"json_object": False}},
    ],
)
def test_any_text_will_do(body: dict[str, Any]) -> None:
    assert read(**body) is None


@pytest.mark.parametrize(
    ("body", "schema", "param"),
    [
        ({"response_format": {"type": "json_object"}}, ANY_OBJECT, "response_format"),
        ({"response_format": {"type": "json_object", "schema": SCHEMA}}, SCHEMA, "response_format"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": SCHEMA, "strict": True},
                }
            },
            SCHEMA,
            "response_format",
        ),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}}, ANY_OBJECT, "response_format"),
        ({"response_format": {"type": "json_schema", "schema": SCHEMA}}, SCHEMA, "response_format"),
        ({"guided_json": SCHEMA}, SCHEMA, "guided_json"),
        ({"guided_json": json.dumps(SCHEMA)}, SCHEMA, "guided_json"),
        ({"structured_outputs": {"json": SCHEMA}}, SCHEMA, "structured_outputs"),
        ({"structured_outputs": {"json_object": True}}, ANY_OBJECT, "structured_outputs"),
    ],
)
def test_schemas(body: dict[str, Any], schema: Any, param: str) -> None:
    asked = read(**body)
    assert schema_in(asked) == schema
    assert asked is not None
    assert asked.param == param


def test_properties_keep_their_order() -> None:
    asked = json_schema_constraint({"type": "object", "properties": {name: {} for name in "zaé"}}, param="tools")
    assert list(schema_in(asked)["properties"]) == ["z", "a", "é"]
    assert asked.param == "tools"


@pytest.mark.parametrize("field", ["guided_regex", "structured_outputs"])
def test_regular_expressions(field: str) -> None:
    asked = read(**{field: "a+" if field == "guided_regex" else {"regex": "a+"}})
    assert asked == Constraint(kind="regex", text="a+", param=field)


@pytest.mark.parametrize("field", ["guided_choice", "structured_outputs"])
def test_choices_are_taken_literally(field: str) -> None:
    choices = ["a.b", "(c)", "d|e", "ü 🙂\n", 'say "x"', "/*", "a.b", "<end>", "#-&~ ["]
    asked = read(**{field: choices if field == "guided_choice" else {"choice": choices}})
    assert asked is not None
    constraints = Constraints(ByteVocabulary())
    assert all(matches(constraints, asked, choice) for choice in choices)
    assert not any(matches(constraints, asked, other) for other in ("axb", "c", "d", "", "a.bd|e"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('root ::= "a"', "gbnf"),
        ('start ::= root\nroot ::= "a"', "gbnf"),
        ('start: "a"', "lark"),
        ('%llguidance {}\nstart: "a"', "lark"),
        ('// any\nstart[lazy]: "a"', "lark"),
    ],
)
@pytest.mark.parametrize("field", ["grammar_string", "guided_grammar", "structured_outputs"])
def test_grammars_are_told_apart(field: str, text: str, kind: str) -> None:
    asked = read(**{field: text if field != "structured_outputs" else {"grammar": text}})
    assert asked == Constraint(kind=kind, text=text, param=field)


@pytest.mark.parametrize(
    "body",
    [
        {"response_format": {"type": "structural_tag", **TAG}},
        {"structural_tag": {"type": "structural_tag", **TAG}},
        {"structural_tag": json.dumps(TAG)},
        {"structured_outputs": {"structural_tag": json.dumps(TAG)}},
    ],
)
def test_structural_tags(body: dict[str, Any]) -> None:
    asked = read(**body)
    assert asked is not None
    constraints = Constraints(ByteVocabulary())
    right = ["free text", 'so <f=a>{"ä": 1}</f> and <f=b>1</f>.', "[[2", "<f or [", ""]
    wrong = ["<f=c>", '<f=a>{"ä": "x"}</f>', "<f=b>1", "[[3"]
    assert [text for text in right if not matches(constraints, asked, text)] == []
    assert [text for text in wrong if matches(constraints, asked, text)] == []


ONE = {"type": "const_string", "value": "one"}
DIGITS = {"type": "regex", "pattern": "[0-9]+/?"}
FREE = {"type": "any_text"}
BOLD = {"type": "tag", "begin": "<b>", "content": FREE, "end": "</b>"}
CODE = {"begin": "<c>", "content": {"type": "json_schema", "json_schema": SCHEMA}, "end": "</c>"}


def triggered(**more: Any) -> dict[str, Any]:
    return {"type": "triggered_tags", "triggers": ["<"], "tags": [BOLD, CODE], **more}


@pytest.mark.parametrize(
    ("node", "right", "wrong"),
    [
        (ONE, ["one"], ["on", "one!"]),
        (DIGITS, ["12", "3/"], ["x", "/"]),
        ({"type": "json_schema", "json_schema": {"const": 1}}, ["1"], ["2"]),
        (FREE, ["", "any \n text"], []),
        ({"type": "sequence", "elements": [ONE, DIGITS, FREE]}, ["one12", "one1 and so on"], ["12", "onex"]),
        ({"type": "or", "elements": [ONE, DIGITS]}, ["one", "5"], ["one5"]),
        (BOLD, ["<b>any <text> \n</b>", "<b></b>"], ["<b>", "b</b>", "<b>a</b>b</b>"]),
        (triggered(), ["", "text", 'a <b>x</b> b <c>{"ä": 1}</c>'], ["a <d>", "a <b>x", "<c>1</c>"]),
        (triggered(at_least_one=True), ["a <b>x</b>", "<b>x</b><b>y</b> z"], ["", "text"]),
        (triggered(at_least_one=True, stop_after_first=True), ["a <b>x</b>"], ["text", "<b>x</b> z"]),
        (triggered(stop_after_first=True), ["a <b>x</b>", "text"], ["<b>x</b> z"]),
        (
            {"type": "tags_with_separator", "tags": [BOLD, CODE], "separator": ", ", "at_least_one": True},
            ["<b>x</b>", '<b>x</b>, <c>{"ä":1}</c>'],
            ["", "<b>x</b>,<b>y</b>", "<b>x</b>, "],
        ),
        ({"type": "tags_with_separator", "tags": [CODE], "separator": ""}, ["", '<c>{"ä":1}</c>'], ["x"]),
    ],
)
def test_the_newer_structural_tags(node: dict[str, Any], right: list[str], wrong: list[str]) -> None:
    asked = read(response_format={"type": "structural_tag", "format": node})
    assert asked is not None
    constraints = Constraints(ByteVocabulary())
    assert [text for text in right if not matches(constraints, asked, text)] == []
    assert [text for text in wrong if matches(constraints, asked, text)] == []


def nested(levels: int) -> dict[str, Any]:
    node: dict[str, Any] = ONE
    for _ in range(levels):
        node = {"type": "or", "elements": [node]}
    return node


@pytest.mark.parametrize(
    "node",
    [
        {"type": "frobnicate"},
        {"type": "sequence", "elements": [FREE, ONE]},
        {"type": "sequence", "elements": [triggered(), ONE]},
        {"type": "tag", "begin": "<b>", "content": {"type": "or", "elements": [FREE, ONE]}, "end": "</b>"},
        triggered(triggers=["?"]),
        {"type": "sequence", "elements": []},
        nested(2000),
    ],
    ids=["unknown", "after free text", "after tags", "free in parts", "no trigger", "empty", "nested"],
)
def test_structural_tags_that_mean_nothing(node: dict[str, Any]) -> None:
    with pytest.raises(BadRequest) as refused:
        read(structural_tag={"format": node})
    assert refused.value.param == "structural_tag"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {"type": "yaml"}}, "response_format"),
        ({"response_format": {"type": "structural_tag"}}, "response_format"),
        ({"response_format": {"type": "structural_tag", **TAG, "triggers": ["?"]}}, "response_format"),
        ({"guided_json": "{"}, "guided_json"),
        ({"guided_json": "[1]"}, "guided_json"),
        ({"guided_json": "[" * 100_000}, "guided_json"),
        ({"guided_choice": []}, "guided_choice"),
        ({"guided_choice": ["a", ""]}, "guided_choice"),
        ({"structural_tag": 7}, "structural_tag"),
        ({"guided_regex": "a", "grammar_string": "b"}, "grammar_string"),
        ({"response_format": {"type": "json_object"}, "guided_json": {}}, "guided_json"),
        ({"structured_outputs": {"regex": "a", "choice": ["b"]}}, "structured_outputs"),
        ({"guided_whitespace_pattern": "[ ]*"}, "guided_whitespace_pattern"),
        ({"structured_outputs": {"json": {}, "whitespace_pattern": " "}}, "structured_outputs.whitespace_pattern"),
    ],
)
def test_what_is_refused(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(**body)
    assert refused.value.param == param


@pytest.mark.parametrize(
    "body",
    [{"response_format": {}}, {"response_format": "json"}, {"guided_choice": [1]}, {"guided_json": 3}],
)
def test_what_is_of_another_type(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        read(**body)
