"""Replies that repeat their prompt, or whose form is given, and two that do neither: what speculation is measured with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bench.scenarios import words

_ITEMS: Final = ("order", "invoice", "customer", "parcel", "ticket", "booking", "account", "payment")


def _file(seed: int) -> str:
    """A source file of some 240 tokens, another one for each seed."""
    item, other = _ITEMS[seed % len(_ITEMS)], _ITEMS[(seed + 3) % len(_ITEMS)]
    first, second, third = words(seed, 3).split()
    return f'''import json
from pathlib import Path

LIMIT = {100 + seed}


class {item.title()}Store:
    """Keeps each {item} in a file of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.retries = 3
        self.{first} = {{}}
        self.{second} = []

    def save(self, {item}_id: str, {item}: dict) -> None:
        path = self.folder / f"{{{item}_id}}.json"
        path.write_text(json.dumps({item}))
        self.{first}[{item}_id] = {item}

    def load(self, {item}_id: str) -> dict:
        if {item}_id in self.{first}:
            return self.{first}[{item}_id]
        path = self.folder / f"{{{item}_id}}.json"
        return json.loads(path.read_text())

    def add_{other}(self, {item}_id: str, {other}: str) -> None:
        {item} = self.load({item}_id)
        {item}.setdefault("{other}s", []).append({other})
        self.{second}.append("{third}")
        self.save({item}_id, {item})


DEPTH = {40 + seed}
'''


def _ask(text: str, max_tokens: int, **fields: object) -> Mapping[str, Any]:
    return {"messages": [{"role": "user", "content": text}], "max_tokens": max_tokens, **fields}


def copy(seed: int) -> Mapping[str, Any]:
    return _ask(f"Repeat this file exactly, without any comment:\n\n```python\n{_file(seed)}```", 260)


@dataclass(frozen=True, slots=True)
class _Change:
    """What is asked for, the line that is to be replaced, and the one that takes its place."""

    wish: str
    old: str
    new: str

    def made(self, file: str) -> str:
        return file.replace(self.old, self.new)


_EXAMPLE: Final = """LIMIT = 5
NAME = "box"


def size(box: list) -> int:
    return min(LIMIT, len(box))


def is_full(box: list) -> bool:
    return size(box) == LIMIT
"""
_EXAMPLES: Final = (
    _Change("Change LIMIT to 8.", "LIMIT = 5", "LIMIT = 8"),
    _Change('Change NAME to "tray".', 'NAME = "box"', 'NAME = "tray"'),
    _Change("Change LIMIT to 21.", "LIMIT = 5", "LIMIT = 21"),
)


def _change(seed: int) -> _Change:
    """A value at the beginning, in the middle and at the end of the file, by turns."""
    name, old = (("LIMIT", 100 + seed), ("self.retries", 3), ("DEPTH", 40 + seed))[seed % 3]
    new = 7 * seed + 500
    return _Change(f"Change {name} to {new}.", f"{name} = {old}", f"{name} = {new}")


def _wish(change: _Change, file: str) -> dict[str, str]:
    diff = f"```diff\n-{change.old}\n+{change.new}\n```"
    text = f"{_fenced(file)}\n\n{change.wish} The changed lines:\n\n{diff}\n\nAnswer with the whole changed file."
    return {"role": "user", "content": text}


def _fenced(file: str) -> str:
    return f"```python\n{file}```"


def _answer(change: _Change, file: str) -> dict[str, str]:
    """Small models copy the file as it was where they have not said the new line before."""
    text = f"{change.wish} In place of old lines there are:\n{change.new}\n{_fenced(change.made(file))}"
    return {"role": "assistant", "content": text}


def edit(seed: int) -> Mapping[str, Any]:
    """A whole file with one line changed, behind examples of such changes to a shorter file."""
    messages: list[dict[str, str]] = []
    for example in _EXAMPLES:
        messages += [_wish(example, _EXAMPLE), _answer(example, _EXAMPLE)]
    return {"messages": [*messages, _wish(_change(seed), _file(seed))], "max_tokens": 360}


def outcome(name: str, seed: int, reply: str) -> str:
    """What a reply to `copy` or `edit` is: as asked, unchanged or otherwise; "" for other scenarios."""
    if name not in {"copy", "edit"}:
        return ""
    file = _file(seed)
    wanted = file if name == "copy" else _change(seed).made(file)
    said = reply.partition("```python\n")[2].partition("```")[0].strip()
    if said == wanted.strip():
        return "as asked"
    return "unchanged" if said == file.strip() else "otherwise"


_LIKELIHOOD: Final = {"type": "string", "enum": ["low", "medium", "high"]}
_FLAG: Final = {"type": "boolean"}
_COUNT: Final = {"type": "integer", "minimum": 0, "maximum": 999}
_NOTE: Final = {"type": "string", "maxLength": 24}
_FIELDS: Final = (
    ("customer_requested_signature_on_delivery", _FLAG),
    ("estimated_number_of_parcels_in_shipment", _COUNT),
    ("likelihood_of_damage_during_transport", _LIKELIHOOD),
    ("requires_temperature_controlled_storage", _FLAG),
    ("preferred_delivery_time_window_description", _NOTE),
    ("insurance_coverage_was_included_in_price", _FLAG),
    ("likelihood_of_delay_at_customs_inspection", _LIKELIHOOD),
    ("maximum_number_of_delivery_attempts_allowed", _COUNT),
)


def json_object(seed: int) -> Mapping[str, Any]:
    turned = (*_FIELDS[seed % len(_FIELDS) :], *_FIELDS[: seed % len(_FIELDS)])
    properties = dict(turned)
    schema = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return _ask(
        f"Invent a shipment of {words(seed, 3)}, as JSON.",
        200,
        response_format={"type": "json_schema", "json_schema": {"name": "order", "schema": schema, "strict": True}},
    )


def tool_call(seed: int) -> Mapping[str, Any]:
    parameters = {
        "type": "object",
        "properties": {
            "destination_warehouse_identifier": {"type": "integer"},
            "requested_shipping_priority": {"type": "string", "enum": ["standard", "express", "overnight"]},
            "requires_signature_on_delivery": {"type": "boolean"},
        },
        "required": [
            "destination_warehouse_identifier",
            "requested_shipping_priority",
            "requires_signature_on_delivery",
        ],
        "additionalProperties": False,
    }
    function = {"name": "schedule_parcel_for_shipping", "description": "Ships a parcel.", "parameters": parameters}
    return _ask(
        f"Ship the {words(seed, 2)} to warehouse {seed + 40} by express, signed for.",
        100,
        tools=[{"type": "function", "function": function}],
        tool_choice="required",
    )


def prose(seed: int) -> Mapping[str, Any]:
    return _ask(f"Write a long story about {words(seed, 6)}.", 128)


def chat(seed: int) -> Mapping[str, Any]:
    topic = words(seed, 2)
    messages = [
        {"role": "user", "content": f"What could a {topic} be good for?"},
        {"role": "assistant", "content": f"A {topic} may be useful at home, at work and in the garden."},
        {"role": "user", "content": "Explain the second of these, and what one should take care of."},
    ]
    return {"messages": messages, "max_tokens": 128}


SCENARIOS: Final[dict[str, Callable[[int], Mapping[str, Any]]]] = {
    "copy": copy,
    "edit": edit,
    "json": json_object,
    "tool": tool_call,
    "prose": prose,
    "chat": chat,
}
