"""The ring of finished sequences: nothing overlaps, the newest is always there, and the longest beginning is found."""

from hypothesis import given
from hypothesis import strategies as st

from modules.backends.llamacpp.prefix_cache import common_length
from modules.backends.llamacpp.stash import Entry, Stash

CAPACITY = 40
sequences = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=25), max_size=12)


def stashed(tokens: list[int], stash: Stash) -> Entry | None:
    """Add `tokens`, as sequence number their length, so that they take a byte each."""
    return stash.add(len(tokens), tokens)


def made(capacity: int = CAPACITY) -> Stash:
    return Stash(capacity, lambda sequence: sequence)


@given(sequences, st.lists(st.integers(0, 2), max_size=25))
def test_a_ring_without_overlaps_in_which_the_longest_beginning_is_found(
    histories: list[list[int]], wanted: list[int]
) -> None:
    stash, ring = made(), [-1] * CAPACITY
    for tokens in histories:
        entry = stashed(tokens, stash)
        if entry is not None:
            assert entry.end <= CAPACITY
            ring[entry.start : entry.end] = tokens
        assert stash.match(tokens)[0] == len(tokens)
    length, found = stash.match(wanted)
    if found is None:
        assert length == 0
    else:
        assert ring[found.start : found.end] == list(found.tokens)
        assert common_length(found.tokens, wanted) == length > 0


@given(sequences, st.lists(st.integers(0, 2), max_size=25))
def test_whole_matches_are_whole(histories: list[list[int]], wanted: list[int]) -> None:
    stash = made()
    for tokens in histories:
        stashed(tokens, stash)
    length, found = stash.match(wanted, whole=True)
    assert found is None or list(found.tokens) == wanted[:length]


def test_what_is_held_already_is_not_added_again() -> None:
    stash = made()
    assert stashed([1, 2, 3], stash) is not None
    assert stashed([1, 2, 3], stash) is None
    assert stashed([1, 2], stash) is None


def test_a_longer_sequence_takes_the_place_of_its_beginning() -> None:
    stash = made()
    stashed([1, 2], stash)
    longer = stashed([1, 2, 3], stash)
    assert stash.match([1, 2]) == (2, longer)


def test_what_is_too_large_is_not_kept() -> None:
    stash = made(10)
    assert stashed([1] * 11, stash) is None
    assert stashed([1] * 10, stash) is not None


def test_the_oldest_give_way() -> None:
    stash = made(10)
    for token in range(4):
        stashed([token] * 3, stash)
    assert [stash.match([token] * 3)[0] for token in range(4)] == [0, 3, 3, 3]


def test_nothing_is_written_over_what_is_about_to_be_read() -> None:
    stash = made(10)
    first = stashed([1] * 6, stash)
    assert first is not None
    with stash.pinned(first):
        assert stashed([2] * 6, stash) is None
        assert stashed([3] * 4, stash) is not None
    assert stashed([2] * 6, stash) is not None


def test_no_room_at_all_keeps_nothing() -> None:
    assert stashed([1], made(0)) is None
