"""Guides on walks drawn by lot: the mask and the single questions agree, and what is said fits the constraint."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.engine.constraints.compiler import Constraints
from modules.engine.constraints.matcher import Guide
from modules.engine.types import Constraint, Thought
from modules.errors import EngineFailed
from tests.engine.byte_vocabulary import END, ByteVocabulary
from tests.engine.guiding import generation, guide_of

VOCABULARY = ByteVocabulary("<think>", "</think>")
CONSTRAINTS = Constraints(VOCABULARY)
PATTERNS = ("(yes|no)", "[0-9]{2,4}", "a*b?", '"[^"]*"', "é(🙂|x)+", "(ab|ac)(d|)")
LONGEST = 24


def allowed(guide: Guide, *, may_think: bool = False) -> list[int]:
    """By the mask; the single questions have to agree on all tokens. Only a thought's beginning may be spelled in ways
    that the mask leaves out."""
    masked = {int(token) for token in guide.mask().nonzero()[0]}
    asked = {token for token in range(VOCABULARY.size) if guide.is_allowed(token)}
    assert masked == asked or (may_think and masked < asked)
    return sorted(masked)


@given(st.data(), st.sampled_from(PATTERNS))
def test_guide_lets_what_matches_pass_and_nothing_else(data: st.DataObject, pattern: str) -> None:
    guide = guide_of(CONSTRAINTS, generation(Constraint(kind="regex", text=pattern)))
    said: list[int] = []
    while len(said) < LONGEST and not guide.is_complete:
        choices = allowed(guide)
        assert choices, "there is always a way on, or an end"
        token = data.draw(st.sampled_from(choices))
        if token == END:
            break
        guide.accept(token)
        said.append(token)
    text = bytes(said)
    may_end = guide.is_complete or guide.is_allowed(END)
    assert may_end == bool(re.fullmatch(pattern.encode(), text))


@given(st.data(), st.integers(0, 6), st.booleans())
def test_guide_ends_a_thought_within_its_budget(data: st.DataObject, budget: int, is_open: bool) -> None:
    thought = Thought(start="<think>", end="</think>", is_open=is_open, budget=budget)
    guide = guide_of(CONSTRAINTS, generation(Constraint(kind="regex", text="(yes|no)"), thought))
    said: list[int] = []
    while not guide.is_complete:
        token = guide.forced
        if token is None:
            token = data.draw(st.sampled_from(allowed(guide, may_think=True)))
        guide.accept(token)
        said.append(token)
        assert len(said) <= len(["<think>"]) + budget + len(["</think>"]) + len("yes")
    assert VOCABULARY.decode(said).rpartition("</think>")[2] in {"yes", "no"}


def test_guide_of_one_reply_is_untouched_by_another() -> None:
    asked = generation(Constraint(kind="regex", text="(yes|no)"))
    first, second = guide_of(CONSTRAINTS, asked), guide_of(CONSTRAINTS, asked)
    first.accept(ord("y"))
    assert second.is_allowed(ord("n"))
    assert not first.is_allowed(ord("n"))


def test_guide_cannot_be_made_to_follow_what_it_refuses() -> None:
    guide = guide_of(CONSTRAINTS, generation(Constraint(kind="regex", text="(yes|no)")))
    assert not guide.is_allowed(ord("x"))
    with pytest.raises(EngineFailed):
        guide.accept(ord("x"))
