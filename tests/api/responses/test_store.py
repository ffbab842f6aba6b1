"""The bounded store: number, size, age, owners, and what a file keeps."""

import sqlite3
import threading
from pathlib import Path

import pytest

from extensions.openai.responses.store import FallbackStore, Record, RecordStore, StoreBounds

WIDE = StoreBounds(records=100, size=10_000, seconds=60)
ROOMY = StoreBounds(records=100, size=10**7, seconds=60)


def record(name: str, *, owner: str = "me", size: int = 10, items: tuple[str, ...] = ()) -> Record:
    return Record(id=name, owner=owner, body=b"x" * size, items=items)


def kept(store: RecordStore, *names: str, owner: str = "me") -> list[str]:
    return [name for name in names if store.get(name, owner) is not None]


def test_the_latest_used_stay_when_there_are_too_many() -> None:
    store = RecordStore(StoreBounds(records=2, size=10_000, seconds=60))
    store.put(record("a"))
    store.put(record("b"))
    store.get("a", "me")
    store.put(record("c"))
    assert kept(store, "a", "b", "c") == ["a", "c"]


def test_the_latest_used_stay_when_they_are_too_large() -> None:
    store = RecordStore(StoreBounds(records=100, size=100, seconds=60))
    for name in "abcd":
        store.put(record(name, size=40))
    assert kept(store, *"abcd") == ["c", "d"]


def test_what_is_larger_than_the_store_is_not_kept_and_costs_nobody_his_place() -> None:
    store = RecordStore(StoreBounds(records=100, size=100, seconds=60))
    store.put(record("a"))
    assert not store.put(record("b", size=101))
    assert kept(store, "a", "b") == ["a"]


@pytest.mark.parametrize(
    "bounds", [StoreBounds(records=0, size=10, seconds=60), StoreBounds(records=10, size=0, seconds=60)]
)
def test_a_store_can_be_off(bounds: StoreBounds) -> None:
    store = RecordStore(bounds)
    assert store.is_off
    assert not store.put(record("a", size=0))
    assert kept(store, "a") == []


def test_records_grow_old_but_a_change_makes_them_new() -> None:
    now = [0.0]
    store = RecordStore(WIDE, clock=lambda: now[0])
    store.put(record("a"))
    store.put(record("b"))
    now[0] = 50
    assert store.change("b", "me", lambda body: Record(id="b", owner="me", body=body + b"!"))
    assert kept(store, "a", "b") == ["a", "b"]
    now[0] = 61
    assert kept(store, "a", "b") == ["b"]
    assert store.get("b", "me") == b"x" * 10 + b"!"


def test_an_owner_cannot_touch_what_is_another_s() -> None:
    store = RecordStore(WIDE)
    store.put(record("a", items=("i",)))
    assert store.get("a", "you") is None
    assert store.find("i", "you") is None
    assert not store.delete("a", "you")
    assert not store.change("a", "you", lambda body: record("a", owner="you"))
    assert kept(store, "a") == ["a"]


def test_items_lead_to_their_record_until_it_is_gone() -> None:
    store = RecordStore(WIDE)
    store.put(record("a", items=("i", "j")))
    store.put(record("a", items=("j",)))
    assert [store.find(item, "me") for item in "ij"] == [None, "a"]
    assert store.delete("a", "me")
    assert not store.delete("a", "me")
    assert store.find("j", "me") is None


def test_a_file_keeps_what_memory_forgets(tmp_path: Path) -> None:
    for path, expected in ((None, []), (tmp_path / "store", ["a"])):
        store = RecordStore(WIDE, path)
        store.put(record("a", items=("i",)))
        del store
        assert kept(RecordStore(WIDE, path), "a") == expected


def test_changes_do_not_get_lost() -> None:
    store = RecordStore(WIDE)
    store.put(Record(id="a", owner="me", body=b""))

    def add() -> None:
        for _ in range(50):
            store.change("a", "me", lambda body: Record(id="a", owner="me", body=body + b"."))

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("a", "me") == b"." * 200


def test_a_failed_change_leaves_everything_as_it_was() -> None:
    store = RecordStore(WIDE)
    store.put(record("a"))
    store.put(record("b", owner="you"))
    with pytest.raises(Exception, match="UNIQUE"):
        store.put(record("b"))
    assert store.put(record("c"))
    assert kept(store, "a", "c") == ["a", "c"]
    assert kept(store, "b", owner="you") == ["b"]


class FullDisk:
    """A database that takes nothing more, as SQLite says it of one whose disk is full."""

    def __init__(self, path: Path) -> None:
        self.store = RecordStore(ROOMY, path)
        self._database = self.store._database

    def fill(self) -> None:
        [(pages,)] = self._database.execute("PRAGMA page_count")
        self._database.execute(f"PRAGMA max_page_count = {pages}")

    def free(self) -> None:
        self._database.execute("PRAGMA max_page_count = 1000000")


def large(name: str) -> Record:
    """More than is left on the pages that there are."""
    return Record(id=name, owner="me", body=name.encode() * 20_000, items=(f"{name}-item",))


def test_what_a_full_disk_does_not_take_is_kept_in_memory(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    disk = FullDisk(tmp_path / "store.sqlite3")
    store = FallbackStore(disk.store, RecordStore(ROOMY))
    assert store.put(large("before"))
    disk.fill()
    with pytest.raises(sqlite3.OperationalError):
        disk.store.put(large("x"))
    assert store.put(large("after"))
    assert "kept in memory only" in caplog.text
    assert (store.get("before", "me"), store.get("after", "me")) == (b"before" * 20_000, b"after" * 20_000)
    assert store.find("after-item", "me") == "after"
    assert store.change("before", "me", lambda body: Record(id="before", owner="me", body=body * 2))
    assert store.get("before", "me") == b"before" * 40_000
    disk.free()
    assert store.put(Record(id="before", owner="me", body=b"new"))
    assert store.get("before", "me") == b"new"
    assert store.delete("after", "me")
    assert store.get("after", "me") is None
