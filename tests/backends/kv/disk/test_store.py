"""What is kept on disk is found by its tokens, and given back as it was or not at all."""

import os
import random
import stat
import sys
from pathlib import Path

import pytest

from modules.backends.kv.disk.cipher import PART_BYTES
from modules.backends.kv.disk.folder import PIECE, CacheFolder
from modules.backends.kv.disk.store import DiskStore
from tests.backends.kv.disk.states import LIMIT, MODEL, keep, opened, recall, state_of

GROUP = b""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "prefixes"


def conversation(turns: int, *, length: int = 90, seed: int = 1) -> list[list[int]]:
    """The tokens of each turn, all of those before among them."""
    rng = random.Random(seed)
    grown: list[list[int]] = []
    for _ in range(turns):
        grown.append([*(grown[-1] if grown else []), *(rng.randrange(50_000) for _ in range(length))])
    return grown


def test_a_conversation_comes_back_whole_in_a_new_process(root: Path) -> None:
    store = opened(root)
    for tokens in conversation(10):
        keep(store, tokens)
    last = conversation(10)[-1]
    again = opened(root)
    found = again.find(GROUP, [*last, 7])
    assert found.length == len(last)
    assert recall(again, found) == state_of(last)


def test_each_turn_writes_only_what_is_new(root: Path) -> None:
    store = opened(root)
    turns = conversation(10)
    for tokens in turns:
        keep(store, tokens)
    counts = CacheFolder(root, LIMIT).counts()
    assert counts.writes == 10
    assert counts.written_bytes < len(state_of(turns[-1])) + 4 * len(turns[-1]) + 10 * 250
    keep(store, turns[4])
    assert CacheFolder(root, LIMIT).counts() == counts


def test_what_begins_alike_is_found_up_to_where_it_differs(root: Path) -> None:
    store = opened(root, piece_tokens=16)
    first = list(range(1, 101))
    keep(store, first)
    for length in (1, 15, 16, 17, 40, 99):
        other = [*first[:length], 9999, 9998]
        found = store.find(GROUP, other)
        assert found.length == length
        assert recall(store, found)[: len(state_of(first[:length]))] == state_of(first[:length])


def test_a_branch_is_kept_beside_the_other(root: Path) -> None:
    store = opened(root, piece_tokens=16)
    one, other = [*range(40), 100, 101], [*range(40), 200, 201, 202]
    keep(store, one)
    keep(store, other)
    for tokens in (one, other):
        assert recall(store, store.find(GROUP, [*tokens, 5])) == state_of(tokens)


def test_only_needed_pieces_count(root: Path) -> None:
    store = opened(root, piece_tokens=10)
    keep(store, list(range(50)))
    found = store.find(GROUP, list(range(50)))
    assert [use.head.start for use in found.after(25).uses] == [20, 30, 40]
    assert found.seconds(25) == pytest.approx(25 * 0.01)
    assert found.after(50).size == 0


def test_reading_has_to_be_quicker_than_computing(root: Path) -> None:
    store = opened(root)
    slow, quick = list(range(300)), list(range(1000, 1300))
    keep(store, slow, seconds=0.01)
    keep(store, quick, seconds=1e-9)
    assert store.is_worth_reading(store.find(GROUP, slow), 0)
    assert not store.is_worth_reading(store.find(GROUP, slow), 300)
    assert not store.is_worth_reading(store.find(GROUP, quick), 0)


def test_whole_states_are_taken_over_to_their_end_only(root: Path) -> None:
    store = opened(root)
    for tokens in ([1, 2, 3], [1, 2, 3, 4, 5], [1, 9]):
        for piece in store.missing(GROUP, tokens, whole=True):
            assert store.write(piece, state_of(tokens), 0.01)
    again = opened(root)
    assert again.find(GROUP, [1, 2, 3, 4, 5, 6], whole=True).length == 5
    assert again.find(GROUP, [1, 2, 3, 4, 6], whole=True).length == 3
    assert again.find(GROUP, [1, 2], whole=True).length == 0
    assert again.find(GROUP, [1, 2, 3, 4, 5, 6]).length == 0
    assert again.missing(GROUP, [1, 2, 3], whole=True) == []


def test_other_models_and_adapters_find_nothing(root: Path) -> None:
    tokens = list(range(60))
    keep(opened(root), tokens)
    assert opened(root, model=b"another").find(GROUP, tokens).length == 0
    assert opened(root).find(b"adapter", tokens).length == 0
    assert opened(root).find(GROUP, tokens).length == 60


def test_one_process_finds_what_another_wrote(root: Path) -> None:
    one, other = opened(root), opened(root)
    keep(one, [1, 2, 3, 4])
    assert other.find(GROUP, [1, 2, 3, 4]).length == 0
    other.refresh()
    assert recall(other, other.find(GROUP, [1, 2, 3, 4])) == state_of([1, 2, 3, 4])


@pytest.mark.parametrize("damage", ["flipped", "cut", "longer", "empty", "missing", "moved"])
def test_damage_costs_what_was_damaged_and_nothing_else(root: Path, damage: str) -> None:
    tokens = list(range(PART_BYTES // 8))
    store = opened(root, piece_tokens=len(tokens))
    keep(store, tokens)
    rng = random.Random(damage)
    (path,) = root.glob(f"*{PIECE}")
    whole = path.read_bytes()
    assert len(whole) > PART_BYTES
    places = [0, 3, 4, 36, 39, 40, 60, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(12))]
    for at in places:
        match damage:
            case "flipped":
                path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << rng.randrange(8))]) + whole[at + 1 :])
            case "cut":
                path.write_bytes(whole[:at])
            case "longer":
                path.write_bytes(whole + bytes(9))
            case "empty":
                path.write_bytes(b"")
            case "missing":
                path.unlink(missing_ok=True)
            case _:
                path.with_name(path.name.replace(path.name[-6], "0", 1) + PIECE).write_bytes(whole)
                path.unlink(missing_ok=True)
        for reader in (store, opened(root, piece_tokens=len(tokens))):
            found = reader.find(GROUP, tokens)
            states = [reader.read(use) for use in found.uses]
            assert states in ([], [None]) or (damage == "longer" and states == [state_of(tokens)])
        for left in root.glob(f"*{PIECE}"):
            left.unlink()
        path.write_bytes(whole)
        store.refresh()
        assert recall(store, store.find(GROUP, tokens)) == state_of(tokens)


def test_files_and_their_names_tell_nothing(root: Path) -> None:
    words = "the quick brown secret jumps over the lazy prompt".split()
    tokens = [sum(word.encode()) * 31 for word in words] * 10
    keep(opened(root), tokens, filling=" ".join(words).encode())
    token_bytes = b"".join(token.to_bytes(4, "little") for token in tokens[:2])
    for path in root.iterdir():
        data = path.read_bytes() + path.name.encode()
        assert not any(word.encode() in data for word in words if len(word) > 3)
        assert token_bytes not in data
        assert MODEL not in data


def test_the_same_state_is_never_sealed_alike_twice(tmp_path: Path) -> None:
    """With the key carried over, as a backup would."""
    keep(opened(tmp_path / "one"), [1, 2, 3])
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "key").write_bytes((tmp_path / "one" / "key").read_bytes())
    keep(opened(tmp_path / "two"), [1, 2, 3])
    one, two = (next((tmp_path / name).glob(f"*{PIECE}")) for name in ("one", "two"))
    assert one.name == two.name
    assert one.read_bytes()[4:36] != two.read_bytes()[4:36]
    assert one.read_bytes()[40:] != two.read_bytes()[40:]


@pytest.mark.skipif(sys.platform == "win32", reason="has no such modes")
def test_only_the_owner_can_read(root: Path) -> None:
    before = os.umask(0)
    try:
        keep(opened(root), [1, 2, 3])
    finally:
        os.umask(before)
    assert stat.S_IMODE(root.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in root.iterdir()} == {0o600}
    assert len(list(root.iterdir())) == 4


def test_another_key_begins_anew(root: Path) -> None:
    store = opened(root)
    keep(store, [1, 2, 3])
    (root / "key").write_bytes(b"short")
    again = opened(root)
    assert again.find(GROUP, [1, 2, 3]).length == 0
    keep(again, [1, 2, 3, 4])
    store.refresh()
    assert recall(store, store.find(GROUP, [1, 2, 3, 4])) == state_of([1, 2, 3, 4])


def test_deleting_leaves_nothing_and_a_running_model_goes_on(root: Path) -> None:
    store = opened(root)
    keep(store, [1, 2, 3])
    (use,) = store.find(GROUP, [1, 2, 3]).uses
    assert CacheFolder(root, LIMIT).clear() > 0
    assert not list(root.glob(f"*{PIECE}"))
    assert not (root / "key").exists()
    assert store.read(use) is None
    before = store.missing(GROUP, [1, 2, 3])
    assert before
    for piece in before:
        assert not store.write(piece, b"state", 0.01)
    # With the next request, nobody else having opened the folder.
    store.refresh()
    for piece in before:
        assert not store.write(piece, b"state", 0.01)
    assert not list(root.glob(f"*{PIECE}"))
    keep(store, [5, 6])
    assert opened(root).find(GROUP, [5, 6]).length == 2


def test_deleting_where_there_is_nothing(root: Path) -> None:
    assert CacheFolder(root, LIMIT).clear() == 0
    assert not root.exists()


def test_is_of_use_with_a_full_folder_of_others(root: Path) -> None:
    other = DiskStore(CacheFolder(root, 20_000), b"other")
    for first in range(0, 2000, 100):
        keep(other, list(range(first, first + 100)))
    store = DiskStore(CacheFolder(root, 20_000), MODEL)
    keep(store, [1, 2, 3])
    assert opened(root).find(GROUP, [1, 2, 3]).length == 3
