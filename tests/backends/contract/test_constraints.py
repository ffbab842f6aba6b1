"""Constrained replies, the same on every backend that can constrain at all."""

import asyncio
import json
import re
from typing import Any

import pytest

from modules.engine.types import Constraint, Finish, Thought
from modules.errors import BadRequest
from tests.backends.contract.subjects import Subject
from tests.streams import chunks_of, whole

pytestmark = pytest.mark.asyncio(loop_scope="session")

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 8},
        "age": {"type": "integer", "minimum": 10, "maximum": 99},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1, "maxItems": 2},
    },
    "required": ["name", "age", "tags"],
}


def json_schema(schema: Any) -> Constraint:
    return Constraint(kind="json_schema", text=json.dumps(schema), param="response_format")


@pytest.mark.parametrize(
    ("constraint", "pattern"),
    [
        (Constraint(kind="regex", text="(left|right) [0-9]{2}"), "(left|right) [0-9]{2}"),
        (Constraint(kind="gbnf", text='root ::= [xyz]{3} "!"'), "[xyz]{3}!"),
        (Constraint(kind="lark", text='start: "<" %json {"const": [1, 2]} ">"'), r"<\[1, ?2\]>"),
        (json_schema(PERSON), r'\{"name": ?"[^"]*", ?"age": ?\d\d, ?"tags": ?\["[ab]"(, ?"[ab]")?\]\}'),
    ],
    ids=["regex", "gbnf", "lark", "schema"],
)
async def test_the_whole_reply_matches(subject: Subject, constraint: Constraint, pattern: str) -> None:
    generation = await subject.generation(max_tokens=100, constraint=constraint)
    pieces = await chunks_of(subject.engine, generation)
    assert re.fullmatch(pattern, "".join(piece.text for piece in pieces))
    assert pieces[-1].finish is Finish.STOP


async def test_what_can_only_end_ends_whatever_else_was_asked(subject: Subject) -> None:
    constraint = Constraint(kind="regex", text="abc")
    reply = await whole(
        subject.engine, await subject.generation(max_tokens=50, constraint=constraint, ignore_eos=True, min_tokens=30)
    )
    assert (reply.text, reply.finish) == ("abc", Finish.STOP)


async def test_max_tokens_still_ends_a_reply(subject: Subject) -> None:
    constraint = Constraint(kind="regex", text="[0-9 ]{100,}")
    reply = await whole(subject.engine, await subject.generation(max_tokens=5, constraint=constraint))
    assert (len(reply.tokens), reply.finish) == (5, Finish.LENGTH)


async def test_a_budget_ends_a_thought(subject: Subject) -> None:
    thought = Thought(end="</think>", is_open=True, budget=3)
    constraint = Constraint(kind="regex", text="(yes|no)")
    reply = await whole(
        subject.engine, await subject.generation(max_tokens=40, constraint=constraint, thought=thought, logprobs=1)
    )
    said, _, answer = reply.text.partition("</think>")
    assert said
    assert answer in {"yes", "no"}
    assert [each.token for each in reply.logprobs] == list(reply.tokens)


@pytest.mark.parametrize(
    "constraint",
    [
        json_schema({"type": "array", "uniqueItems": True}),
        json_schema({"$ref": "#"}),
        Constraint(kind="regex", text="(", param="guided_regex"),
        Constraint(kind="gbnf", text="root ::= nowhere", param="grammar_string"),
    ],
    ids=["keyword", "endless", "regex", "gbnf"],
)
async def test_what_cannot_be_enforced_is_refused_beside_others(subject: Subject, constraint: Constraint) -> None:
    """The reply beside it is under way when the refusal comes."""
    beside = asyncio.create_task(whole(subject.engine, await subject.generation()))
    generation = await subject.generation(constraint=constraint)
    with pytest.raises(BadRequest) as refused:
        await whole(subject.engine, generation)
    assert refused.value.param == constraint.param
    assert (await beside).text


async def test_many_constraints_at_once(subject: Subject) -> None:
    async def reply(number: int) -> str:
        constraint = Constraint(kind="regex", text=f"<{number}>" * 3)
        return (
            await whole(subject.engine, await subject.generation(number, max_tokens=40, constraint=constraint))
        ).text

    replies = await asyncio.gather(*(reply(number) for number in range(8)))
    assert replies == [f"<{number}>" * 3 for number in range(8)]
