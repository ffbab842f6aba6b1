"""Structural tags, vLLM's way to constrain parts of a reply, → a Lark grammar. Pure.

Text is free until a trigger; from there on one of the structures that begin with it must follow, then text is free
again.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import Field, ValidationError

from extensions.openai.field_types import RequestModel
from modules.engine.types import Constraint
from modules.errors import BadRequest

_FREE_TEXT: Final = r"TEXT: /(.|\n)*/"


class Structure(RequestModel):
    """`begin`, then JSON under `schema`, then `end`."""

    begin: str = Field(min_length=1)
    schema_: dict[str, Any] | bool = Field(True, alias="schema")
    end: str


class StructuralTag(RequestModel):
    structures: list[Structure] = Field(min_length=1, max_length=256)
    triggers: list[str] = Field(min_length=1, max_length=256)


def structural_tag_constraint(tag: object, *, param: str) -> Constraint:
    """Raises BadRequest where a structure has no trigger, or `tag` is none of vLLM's."""
    read = _read(tag, param)
    groups = {
        trigger: [each for each in read.structures if _trigger_of(each, read, param) == trigger]
        for trigger in dict.fromkeys(read.triggers)
    }
    return Constraint(kind="lark", text="\n".join(_lines(groups)), param=param)


def _read(tag: object, param: str) -> StructuralTag:
    try:
        return StructuralTag.model_validate(tag)
    except ValidationError as error:
        place = ".".join(str(step) for step in error.errors()[0]["loc"])
        raise BadRequest(
            f"{param} is no structural tag: it needs 'structures', each with begin, schema and end, and 'triggers' "
            f"(look at {place or 'its form'}).",
            param=param,
        ) from None


def _trigger_of(structure: Structure, tag: StructuralTag, param: str) -> str:
    for trigger in tag.triggers:
        if trigger and structure.begin.startswith(trigger):
            return trigger
    raise BadRequest(f"No trigger of {param} begins the structure {structure.begin[:40]!r}.", param=param)


def _lines(groups: Mapping[str, Sequence[Structure]]) -> Iterable[str]:
    used = [(trigger, structures) for trigger, structures in groups.items() if structures]
    yield f"start: ({' | '.join(f'tag_{number}' for number in range(len(used)))})* last"
    yield "last: TEXT"
    yield _FREE_TEXT
    for number, (trigger, structures) in enumerate(used):
        bodies = " | ".join(_body(each, trigger) for each in structures)
        yield f"trigger_{number}[lazy]: TEXT {json.dumps(trigger, ensure_ascii=False)}"
        yield f"tag_{number}: trigger_{number} ({bodies})"


def _body(structure: Structure, trigger: str) -> str:
    schema = structure.schema_ if isinstance(structure.schema_, dict) else {"anyOf": [structure.schema_]}
    parts = (
        _quoted(structure.begin[len(trigger) :]),
        f"%json {json.dumps(schema, ensure_ascii=False)}",
        _quoted(structure.end),
    )
    return " ".join(part for part in parts if part)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if text else ""
