"""The radix tree against a naive model that remembers every cell of every sequence."""

from collections.abc import Sequence
from typing import TypeAlias

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from modules.backends.kv.prefix_cache import Match, PrefixCache, common_length

Cell: TypeAlias = tuple[int, int]  # which cell, and its token
SEQUENCES = st.integers(0, 5)
TOKENS = st.lists(st.integers(0, 2), min_size=1, max_size=6)


class CacheAgainstCells(RuleBasedStateMachine):
    """Six sequences over three tokens, so that everything happens to share with everything."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = PrefixCache()
        self.held: dict[int, list[Cell]] = {}
        self.made = 0

    @rule(sequence=SEQUENCES, tokens=TOKENS)
    def compute(self, sequence: int, tokens: list[int]) -> None:
        self.cache.extend(sequence, tokens)
        cells = self.held.setdefault(sequence, [])
        for token in tokens:
            self.made += 1
            cells.append((self.made, token))

    @precondition(lambda self: self.held and len(self.held) < 6)
    @rule(data=st.data())
    def share(self, data: st.DataObject) -> None:
        source = data.draw(st.sampled_from(sorted(self.held)))
        target = data.draw(st.sampled_from(sorted(set(range(6)) - set(self.held))))
        length = data.draw(st.integers(0, len(self.held[source])))
        self.cache.share(source, target, length)
        if length:
            self.held[target] = self.held[source][:length]

    @rule(sequence=SEQUENCES)
    def release(self, sequence: int) -> None:
        self.cache.release(sequence)
        self.held.pop(sequence, None)

    @rule(tokens=st.lists(st.integers(0, 2), max_size=12))
    def match(self, tokens: list[int]) -> None:
        longest = max((common_length(self.tokens(sequence), tokens) for sequence in self.held), default=0)
        found = self.cache.match(tokens)
        assert found.length == longest
        if longest:
            assert found.sequence in self.held
            assert self.tokens(found.sequence)[:longest] == tokens[:longest]
        else:
            assert found.sequence is None

    @rule(tokens=st.lists(st.integers(0, 2), max_size=12), candidates=st.sets(SEQUENCES))
    def match_whole(self, tokens: list[int], candidates: set[int]) -> None:
        fitting = [s for s in candidates if self.tokens(s) == tokens[: len(self.tokens(s))]]
        found = self.cache.whole_match(tokens, candidates)
        assert found.length == max(map(len, map(self.tokens, fitting)), default=0)
        assert found.sequence in fitting or (found == Match(0, None) and not fitting)

    @invariant()
    def cells_are_counted_once(self) -> None:
        assert self.cache.cells == len({cell for cells in self.held.values() for cell in cells})

    @invariant()
    def every_sequence_holds_what_it_was_given(self) -> None:
        for sequence in range(6):
            assert self.cache.tokens(sequence) == self.tokens(sequence)
            assert self.cache.length(sequence) == len(self.tokens(sequence))

    @invariant()
    def what_others_hold_too_is_redundant(self) -> None:
        for sequence, cells in self.held.items():
            others = [other[: len(cells)] for name, other in self.held.items() if name != sequence]
            assert self.cache.is_redundant(sequence) == (cells in others)

    @invariant()
    def cells_of_some_are_their_union(self) -> None:
        some = [sequence for sequence in self.held if sequence % 2]
        assert self.cache.cells_of(some) == len({cell for sequence in some for cell in self.held[sequence]})

    def tokens(self, sequence: int) -> list[int]:
        return [token for _, token in self.held.get(sequence, [])]


TestCacheAgainstCells = CacheAgainstCells.TestCase
TestCacheAgainstCells.settings = settings(max_examples=150, stateful_step_count=40)


def test_the_longest_match_is_found_among_branches_that_begin_alike() -> None:
    cache = PrefixCache()
    cache.extend(2, [1, 2, 9])
    cache.extend(0, [1, 2])
    cache.share(0, 1, 2)
    cache.extend(1, [3, 4])
    assert cache.match([1, 2, 3, 4, 5]) == Match(4, 1)
    assert cache.match([1, 2, 9]) == Match(3, 2)


@pytest.mark.parametrize(
    ("held", "tokens", "start", "length"),
    [([], [], 0, 0), ([1], [], 0, 0), ([1, 2], [1, 2, 3], 0, 2), ([1, 2], [1, 3], 0, 1), ([5], [1, 5], 1, 1)],
)
def test_common_length(held: Sequence[int], tokens: Sequence[int], start: int, length: int) -> None:
    assert common_length(held, tokens, start) == length
