"""Forty JSON schemas, whose instances are short: every string, array and number in them has bounds."""

from typing import Any, Final

Schema = dict[str, Any]


def record(**properties: Any) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def text(most: int = 12, **more: Any) -> Schema:
    return {"type": "string", "maxLength": most, **more}


def whole(least: int = 0, most: int = 99) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def listed(items: Any, most: int = 3, least: int = 0) -> Schema:
    return {"type": "array", "items": items, "minItems": least, "maxItems": most}


def pattern(regex: str, **more: Any) -> Schema:
    return {"type": "string", "pattern": regex, **more}


def formatted(name: str, **more: Any) -> Schema:
    return {"type": "string", "format": name, **more}


YES_NO: Final[Schema] = {"type": "boolean"}
HALVES: Final[Schema] = {"type": "number", "minimum": -10, "maximum": 10, "multipleOf": 0.5}
COLOUR: Final[Schema] = {"enum": ["red", "green", "blue", "ultraviolet"]}

SCHEMAS: Final[dict[str, Schema]] = {
    "one string": record(name=text()),
    "person": record(name=text(20), age=whole(0, 120), tags=listed(text(8))),
    "nested": record(a=record(b=record(c=record(d=whole())))),
    "deep arrays": record(rows=listed(listed(listed(whole(0, 9), 2), 2), 2)),
    "array at the top": listed(record(id=whole(), ok=YES_NO), 3, 1),
    "string at the top": text(20),
    "number at the top": HALVES,
    "null or number": {"type": ["null", "integer"], "minimum": 5, "maximum": 6},
    "enum": record(colour=COLOUR, other=COLOUR),
    "enum of many kinds": record(value={"enum": ["a", 1, 2.5, True, None, [1, 2], {"x": "y"}]}),
    "const": record(kind={"const": "fixed"}, version={"const": 2}, name=text()),
    "unicode names": record(**{"größe": whole(), "名前": text(6), "🙂": YES_NO}),
    "anyOf of scalars": record(value={"anyOf": [whole(), text(6), {"type": "null"}]}),
    "anyOf of objects": {"anyOf": [record(cat=text(8)), record(dog=whole(), barks=YES_NO)]},
    "oneOf by kind": {
        "oneOf": [
            record(kind={"const": "circle"}, radius=whole(1, 9)),
            record(kind={"const": "square"}, side=whole(1, 9)),
        ]
    },
    "allOf": {
        "type": "object",
        "allOf": [
            {"properties": {"a": whole()}, "required": ["a"]},
            {"properties": {"b": text(5)}, "required": ["b"]},
        ],
        "additionalProperties": False,
        "properties": {"a": True, "b": True},
    },
    "$ref": {**record(home={"$ref": "#/$defs/place"}, work={"$ref": "#/$defs/place"}),
             "$defs": {"place": record(street=text(10), number=whole(1, 200))}},
    "definitions": {**record(point={"$ref": "#/definitions/point"}),
                    "definitions": {"point": record(x=whole(), y=whole())}},
    "recursion": {
        "$ref": "#/$defs/tree",
        "$defs": {"tree": {**record(value=whole(0, 9)), "properties": {
            "value": whole(0, 9), "child": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/leaf"}]}}},
            "leaf": record(value=whole(0, 9))},
    },
    "recursive list": {
        "$ref": "#/$defs/node",
        "$defs": {"node": {"anyOf": [{"type": "null"}, record(head=whole(0, 9), tail={"$ref": "#/$defs/end"})]},
                  "end": {"anyOf": [{"type": "null"}, record(head=whole(0, 9), tail={"type": "null"})]}},
    },
    "optional": {"type": "object", "properties": {"a": whole(), "b": text(5), "c": YES_NO}, "required": ["b"]},
    "map": {"type": "object", "patternProperties": {"^[a-z]{1,4}$": whole(0, 9)},
            "additionalProperties": False, "maxProperties": 3},
    "pattern": record(code=pattern("^[A-Z]{2}-[0-9]{4}$")),
    "two patterns": record(plate=pattern(r"^[A-Z]{1,3} \d{1,4}$"), hex=pattern("^#([0-9a-f]{3}){1,2}$")),
    "pattern and length": record(word=pattern("^[a-z]+$", minLength=3, maxLength=8)),
    "pattern with alternatives": record(answer=pattern("^(yes|no|maybe( later)?)$")),
    "date": record(day=formatted("date")),
    "date and time": record(at=formatted("date-time"), time=formatted("time")),
    "duration": record(length=formatted("duration", maxLength=12)),
    "email": record(mail=formatted("email", maxLength=24)),
    "uuid": record(id=formatted("uuid")),
    "addresses": record(four=formatted("ipv4"), six=formatted("ipv6")),
    "hostname and uri": record(host=formatted("hostname", maxLength=16), link=formatted("uri", maxLength=30)),
    "bounds": record(low={"type": "integer", "exclusiveMinimum": -3, "exclusiveMaximum": 3}, high=whole(1000, 1234)),
    "multiples": record(even={"type": "integer", "minimum": 0, "maximum": 40, "multipleOf": 2}, half=HALVES),
    "tuple": record(pair={"type": "array", "prefixItems": [text(5), whole()], "items": False, "minItems": 2}),
    "lengths": record(items=listed(COLOUR, 4, 2), name=text(6, minLength=3)),
    "flags": record(**{f"flag_{number}": YES_NO for number in range(8)}),
    "questions": record(questions=listed(record(q=text(12), options=listed(text(5), 2, 2), right=whole(0, 1)), 2, 1)),
    "annotated": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Annotated",
        "description": "Says much, means little",
        **record(a={**whole(), "title": "A", "default": 3, "examples": [1, 2]}),
    },
}  # fmt: skip
