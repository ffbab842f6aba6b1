"""Thoughts before the answer: free, bounded by their budget, and followed by a constrained answer at once."""

import pytest

from modules.engine.constraints.compiler import Constraints
from modules.engine.constraints.matcher import Guide
from modules.engine.types import Constraint, Thought
from tests.engine.byte_vocabulary import END, ByteVocabulary
from tests.engine.guiding import follow, generation, guide_of

THINK, THOUGHT_OVER = 257, 258
YES = Constraint(kind="regex", text="yes|<t")
OPEN = Thought(end="</think>", is_open=True)
POSSIBLE = Thought(start="<think>", end="</think>")


class Pieces(ByteVocabulary):
    """With tokens of several characters, some of which go beyond a thought's end."""

    _pieces = ("</think>yes", "nk>", "nk>\n\n", "></think>")

    def __init__(self) -> None:
        super().__init__("<think>", "</think>")
        self.size += len(self._pieces)

    def printed(self, token: int) -> bytes:
        return self.shown(token) if token > THOUGHT_OVER else super().printed(token)

    def shown(self, token: int) -> bytes:
        return self._pieces[token - THOUGHT_OVER - 1].encode() if token > THOUGHT_OVER else super().shown(token)


OVERLONG, TAIL, OVERLONG_TAIL, WITH_END = range(THOUGHT_OVER + 1, THOUGHT_OVER + 5)


@pytest.fixture(scope="module")
def constraints() -> Constraints:
    return Constraints(Pieces())


def guided(constraints: Constraints, thought: Thought, constraint: Constraint | None = YES) -> Guide:
    return guide_of(constraints, generation(constraint, thought))


def passes(guide: Guide, tokens: list[int]) -> int:
    return follow(guide, tokens)


@pytest.mark.parametrize("end", [[THOUGHT_OVER], list(b"</think>"), [*b"</thi", TAIL], [*b"<</", *b"</think>"]])
def test_the_answer_begins_right_after_the_thought(constraints: Constraints, end: list[int]) -> None:
    guide = guided(constraints, OPEN)
    assert passes(guide, [*b"hm </thin no", *end, *b"yes"]) == 12 + len(end) + 3
    assert guide.is_complete


def test_a_thought_is_free_but_cannot_end_the_reply(constraints: Constraints) -> None:
    guide = guided(constraints, OPEN)
    assert not guide.is_allowed(END)
    assert passes(guide, [*"日本 anything".encode(), THINK, END]) == 16
    free = guided(constraints, Thought(end="</think>", is_open=True, budget=50), None)
    assert free.is_allowed(END)


def test_a_token_cannot_end_the_thought_and_begin_the_answer(constraints: Constraints) -> None:
    guide = guided(constraints, OPEN)
    assert passes(guide, [OVERLONG]) == 0
    assert passes(guide, [*b"</thi", OVERLONG_TAIL]) == 5
    assert passes(guide, [TAIL, *b"yes"]) == 4
    assert passes(guided(constraints, OPEN), [WITH_END, *b"no"]) == 1


def test_without_a_constraint_it_can(constraints: Constraints) -> None:
    guide = guided(constraints, Thought(end="</think>", is_open=True, budget=50), None)
    assert passes(guide, [OVERLONG, *b" and more", END]) == 11
    assert guide.is_free


@pytest.mark.parametrize("start", [[THINK], list(b"<think>")])
def test_a_possible_thought_begins_with_its_start(constraints: Constraints, start: list[int]) -> None:
    guide = guided(constraints, POSSIBLE)
    for token in start:
        assert guide.is_allowed(token)
        guide.accept(token)
    assert not guide.is_allowed(END)
    assert passes(guide, [*b"so: </think>yes"]) == 15
    assert guide.is_complete


def test_or_the_answer_comes_at_once(constraints: Constraints) -> None:
    guide = guided(constraints, POSSIBLE)
    assert guide.mask()[THINK]
    assert guide.mask()[ord("y")]
    assert not guide.is_allowed(ord("x"))
    assert passes(guide, [*b"yes"]) == 3
    assert guide.is_complete


def test_what_may_be_either_is_settled_when_it_shows(constraints: Constraints) -> None:
    guide = guided(constraints, POSSIBLE)
    for token in b"<t":
        assert guide.is_allowed(token)
        guide.accept(token)
    assert guide.is_allowed(END)
    assert guide.is_allowed(ord("h"))
    assert not guide.is_allowed(ord("y"))


def test_a_thought_begins_at_the_beginning_only(constraints: Constraints) -> None:
    guide = guided(constraints, POSSIBLE, Constraint(kind="regex", text="a.*"))
    assert passes(guide, [*b"a", THINK]) == 1


@pytest.mark.parametrize("budget", [0, 1, 5])
@pytest.mark.parametrize("constraint", [YES, None])
def test_the_end_is_forced_when_the_budget_is_spent(
    constraints: Constraints, budget: int, constraint: Constraint | None
) -> None:
    guide = guided(constraints, Thought(end="</think>", is_open=True, budget=budget), constraint)
    for token in b"abcdefgh"[:budget]:
        assert guide.forced is None
        guide.accept(token)
    assert guide.forced == THOUGHT_OVER
    assert not guide.is_allowed(ord("x"))
    guide.accept(THOUGHT_OVER)
    assert passes(guide, [*b"yes"]) == 3


def test_an_end_of_several_tokens_is_forced_one_by_one(constraints: Constraints) -> None:
    guide = guided(constraints, Thought(start="<think>", end="\nDone.", budget=2))
    guide.accept(THINK)
    guide.accept(ord("a"))
    guide.accept(ord("b"))
    said = []
    while (token := guide.forced) is not None:
        said.append(token)
        guide.accept(token)
    assert bytes(said) == b"\nDone."
    assert passes(guide, [*b"yes"]) == 3


def test_a_thought_that_ends_in_time_is_left_alone(constraints: Constraints) -> None:
    guide = guided(constraints, Thought(end="</think>", is_open=True, budget=2), None)
    assert passes(guide, [ord("a"), THOUGHT_OVER, *b"answers may be long"]) == 21
    assert guide.forced is None
    assert guide.is_free


def test_a_budget_means_nothing_where_no_thought_begins(constraints: Constraints) -> None:
    guide = guided(constraints, Thought(start="<think>", end="</think>", budget=1), None)
    assert passes(guide, [*b"no thought here", THINK]) == 16
    assert guide.forced is None
