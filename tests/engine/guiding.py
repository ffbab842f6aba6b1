"""Asking guides: what they let pass, and what they refuse to be made of."""

import json
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import pytest

from modules.engine.constraints import compiler
from modules.engine.constraints.compiler import Constraints
from modules.engine.constraints.matcher import Guide
from modules.engine.types import Constraint, Generation, Prompt, Thought
from modules.errors import BadRequest
from tests.engine.byte_vocabulary import END

Made = TypeVar("Made")


def waits_for_compilers(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Collects the slices of time that were waited in vain for a constraint to be compiled."""
    waited: list[float] = []

    class CountedFuture(Future[Made]):
        def result(self, timeout: float | None = None) -> Made:
            try:
                return super().result(timeout)
            except TimeoutError:
                waited.append(timeout or 0.0)
                raise

    monkeypatch.setattr(compiler, "Future", CountedFuture)
    return waited


def json_schema(schema: object, **fields: Any) -> Constraint:
    return Constraint(kind="json_schema", text=json.dumps(schema), **fields)


def generation(constraint: Constraint | None, thought: Thought | None = None, *, shows: bool = False) -> Generation:
    return Generation(prompt=Prompt((1,)), constraint=constraint, thought=thought, skip_special_tokens=not shows)


def guide_of(constraints: Constraints, asked: Generation) -> Guide:
    guide = constraints.prepare(asked)
    assert guide is not None
    return guide


def follow(guide: Guide, said: str | Sequence[int]) -> int:
    """How many tokens of `said` pass. On the way the mask and the single questions have to agree."""
    tokens = list(said.encode()) if isinstance(said, str) else list(said)
    for number, token in enumerate(tokens):
        mask = guide.mask()
        assert mask[END] == guide.is_allowed(END)
        if not guide.is_allowed(token):
            assert not mask[token]
            return number
        guide.accept(token)
    return len(tokens)


def matches(constraints: Constraints, constraint: Constraint, text: str) -> bool:
    """True when `text` passes whole and may end there."""
    guide = guide_of(constraints, generation(constraint))
    return follow(guide, text) == len(text.encode()) and guide.is_allowed(END)


def refusal(constraints: Constraints, constraint: Constraint) -> str:
    with pytest.raises(BadRequest) as refused:
        constraints.prepare(generation(constraint))
    assert refused.value.param == constraint.param
    return refused.value.message
