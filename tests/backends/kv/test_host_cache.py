"""The ring of finished sequences: nothing overlaps, the newest is always there, and the longest beginning is found."""

from hypothesis import given
from hypothesis import strategies as st

from modules.backends.kv.host_cache import Entry, HostCache
from modules.backends.kv.prefix_cache import common_length

CAPACITY = 40
sequences = st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=25), max_size=12)


def on_host(tokens: list[int], host_cache: HostCache) -> Entry | None:
    """Add `tokens`, as sequence number their length, so that they take a byte each."""
    return host_cache.add(len(tokens), tokens)


def made(capacity: int = CAPACITY) -> HostCache:
    return HostCache(capacity, lambda sequence: sequence)


@given(sequences, st.lists(st.integers(0, 2), max_size=25))
def test_a_ring_without_overlaps_in_which_the_longest_beginning_is_found(
    histories: list[list[int]], wanted: list[int]
) -> None:
    host_cache, ring = made(), [-1] * CAPACITY
    for tokens in histories:
        entry = on_host(tokens, host_cache)
        if entry is not None:
            assert entry.end <= CAPACITY
            ring[entry.start : entry.end] = tokens
        assert host_cache.match(tokens)[0] == len(tokens)
    length, found = host_cache.match(wanted)
    if found is None:
        assert length == 0
    else:
        assert ring[found.start : found.end] == list(found.tokens)
        assert common_length(found.tokens, wanted) == length > 0


@given(sequences, st.lists(st.integers(0, 2), max_size=25))
def test_whole_matches_are_whole(histories: list[list[int]], wanted: list[int]) -> None:
    host_cache = made()
    for tokens in histories:
        on_host(tokens, host_cache)
    length, found = host_cache.match(wanted, whole=True)
    assert found is None or list(found.tokens) == wanted[:length]


def test_what_is_held_already_is_not_added_again() -> None:
    host_cache = made()
    assert on_host([1, 2, 3], host_cache) is not None
    assert on_host([1, 2, 3], host_cache) is None
    assert on_host([1, 2], host_cache) is None


def test_a_longer_sequence_takes_the_place_of_its_beginning() -> None:
    host_cache = made()
    on_host([1, 2], host_cache)
    longer = on_host([1, 2, 3], host_cache)
    assert host_cache.match([1, 2]) == (2, longer)


def test_what_is_too_large_is_not_kept() -> None:
    host_cache = made(10)
    assert on_host([1] * 11, host_cache) is None
    assert on_host([1] * 10, host_cache) is not None


def test_the_oldest_give_way() -> None:
    host_cache = made(10)
    for token in range(4):
        on_host([token] * 3, host_cache)
    assert [host_cache.match([token] * 3)[0] for token in range(4)] == [0, 3, 3, 3]


def test_nothing_is_written_over_what_is_about_to_be_read() -> None:
    host_cache = made(10)
    first = on_host([1] * 6, host_cache)
    assert first is not None
    with host_cache.pinned(first):
        assert on_host([2] * 6, host_cache) is None
        assert on_host([3] * 4, host_cache) is not None
    assert on_host([2] * 6, host_cache) is not None


def test_no_room_at_all_keeps_nothing() -> None:
    assert on_host([1], made(0)) is None
