"""Searching conversations: what is found, how it follows the files, and that the index can always be made anew."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from modules.errors import NotSupported
from modules.library.chats.histories import ChatHit, Histories, Place
from modules.library.chats.history import Attachment, ChatTurn, History, Row
from modules.library.chats.index import HistoryIndex, HistoryIndexing
from modules.library.chats.places import Places
from modules.paths import UserData
from tests.library.history_files import PIXEL, full

INSTRUCT = Place(None)
ALICE = Place("Alice")


@pytest.fixture
def histories(data: UserData) -> Iterator[Histories]:
    histories = Histories(data)
    yield histories
    histories.close()


def index_of(data: UserData) -> Path:
    return data.cache / "chats.sqlite3"


def said(text: str, reply: str = "") -> History:
    return History(rows=(Row(user=ChatTurn(text=text), assistant=ChatTurn(text=reply)),))


def found(histories: Histories, words: str, place: Place | None = None) -> list[str]:
    return [hit.id for hit in histories.search(words, place=place)]


@pytest.mark.parametrize(
    ("words", "is_found"),
    [
        ("fox", True),
        ("FOX brown", True),
        ("bro", True),
        ("rown", False),
        ("fox missing", False),
        ("creme brulee", True),
        ("don't", True),
        ("snake_case", True),
        ("C++", True),
        ("東京", True),
        ("京", True),
        ("京東", False),
        ("한국", True),
        ("дом", True),
        ('"fox"', True),
        ("fox OR missing", False),
        ("fox -brown", True),
        ("body:fox", False),
        ("", False),
        ("!?", False),
        ('"', False),
        ("*", False),
        ("fo\0zz", False),
    ],
)
def test_words_and_their_beginnings_are_found(histories: Histories, words: str, is_found: bool) -> None:
    text = "The quick brown fox. Crème brûlée, don't! snake_case C++ 私は東京に住む 한국어 домой"
    histories.save(INSTRUCT, "x", said("", text))
    assert bool(histories.search(words)) is is_found


def test_a_hit_shows_where_it_is(histories: Histories) -> None:
    filler = " ".join(f"w{number}" for number in range(100))
    histories.save(ALICE, "20250101-00-00-00", said("A question", f"{filler} 私は東京に needle <b>住む {filler}"))
    (hit,) = histories.search("needle")
    assert (hit.place, hit.id, hit.title) == (ALICE, "20250101-00-00-00", "A question")
    assert "東京に needle <b>住む" in hit.snippet
    assert len(hit.snippet) < 200


def test_places_are_searched_apart_or_all_together(histories: Histories, data: UserData) -> None:
    for number, (place, chat_id) in enumerate([(INSTRUCT, "a"), (ALICE, "b"), (Place("Bob"), "c")]):
        histories.save(place, chat_id, said("needle"))
        path = next(data.logs.rglob(f"{chat_id}.json"))
        os.utime(path, (1000 + number, 1000 + number))
    assert found(histories, "needle") == ["c", "b", "a"]
    assert [hit.id for hit in histories.search("needle", limit=2)] == ["c", "b"]
    assert found(histories, "needle", ALICE) == ["b"]
    assert found(histories, "needle", INSTRUCT) == ["a"]
    assert found(histories, "needle", Place("Nobody")) == []


def test_names_attachments_and_no_pictures_are_searched(histories: Histories) -> None:
    attachments = (
        Attachment(name="report.pdf", type="application/pdf", content="quarterly figures"),
        Attachment(name="dot.png", type="image", image_data=PIXEL),
    )
    history = History(rows=(Row(user=ChatTurn(text="See", attachments=attachments)),))
    histories.save(INSTRUCT, "Tax return", history)
    assert all(found(histories, words) == ["Tax return"] for words in ("tax", "report", "figures", "dot.png"))
    assert found(histories, PIXEL.partition(",")[2][:12]) == []


def test_the_search_follows_the_files(histories: Histories, data: UserData) -> None:
    histories.save(ALICE, "x", said("first"))
    assert found(histories, "first") == ["x"]
    histories.save(ALICE, "x", said("second"))
    assert (found(histories, "first"), found(histories, "second")) == ([], ["x"])
    histories.rename(ALICE, "x", "y")
    assert found(histories, "second") == ["y"]
    (data.chat_logs / "Alice" / "z.json").write_text(json.dumps(full()), encoding="utf-8")
    assert found(histories, "42") == ["z"]
    (data.chat_logs / "Alice" / "z.json").unlink()
    assert found(histories, "42") == []


def test_a_deleted_chat_is_gone_from_the_index(histories: Histories, data: UserData) -> None:
    secret = "xylophonist"
    histories.save(ALICE, "x", said(secret))
    assert found(histories, secret) == ["x"]
    removed = histories.delete(ALICE, "x")
    with closing(sqlite3.connect(index_of(data))) as connection:
        assert connection.execute("SELECT count(*) FROM chats").fetchone() == (0,)
        assert connection.execute("SELECT count(*) FROM texts").fetchone() == (0,)
    histories.restore(removed)
    assert found(histories, secret) == ["x"]


@pytest.mark.parametrize("content", [b"", b"no database at all" * 500], ids=["empty", "damaged"])
def test_a_damaged_index_is_made_anew(data: UserData, content: bytes) -> None:
    data.cache.mkdir()
    index_of(data).write_bytes(content)
    histories = Histories(data)
    histories.save(ALICE, "20250101-00-00-00", said("needle"))
    assert [entry.title for entry in histories.list(ALICE)] == ["needle"]
    histories.close()
    assert found(histories, "needle") == ["20250101-00-00-00"]


def test_a_damaged_index_does_not_fail_the_search(histories: Histories, data: UserData) -> None:
    data.cache.mkdir()
    index_of(data).write_bytes(b"no database at all" * 500)
    histories.save(ALICE, "x", said("needle"))
    assert found(histories, "needle") == ["x"]


def test_an_index_of_another_version_is_made_anew(histories: Histories, data: UserData) -> None:
    data.cache.mkdir()
    with closing(sqlite3.connect(index_of(data))) as connection:
        connection.executescript("CREATE TABLE chats (other); CREATE TABLE texts (other); PRAGMA user_version = 99")
    histories.save(ALICE, "x", said("needle"))
    assert found(histories, "needle") == ["x"]


def test_the_list_works_without_any_index(histories: Histories, data: UserData) -> None:
    data.cache.write_text("not a folder", encoding="utf-8")
    histories.save(ALICE, "20250101-00-00-00", said("needle"))
    assert [entry.title for entry in histories.list(ALICE)] == ["needle"]
    with pytest.raises(NotSupported, match="cannot be searched"):
        histories.search("needle")


def test_the_index_outlives_the_program(histories: Histories, data: UserData) -> None:
    histories.save(ALICE, "20250101-00-00-00", said("needle"))
    assert found(histories, "needle")
    path = data.chat_logs / "Alice" / "20250101-00-00-00.json"
    status = path.stat()
    path.write_bytes(b"x" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    (hit,) = Histories(data).search("needle")
    assert hit == ChatHit(ALICE, "20250101-00-00-00", "needle", "needle")


def test_without_time_the_newest_come_first(histories: Histories, data: UserData) -> None:
    for number in range(100):
        histories.save(ALICE, f"chat {number}", said("needle"))
        os.utime(data.chat_logs / "Alice" / f"chat {number}.json", (1000 + number, 1000 + number))
    index, places = HistoryIndex(index_of(data)), Places(data)
    indexing = HistoryIndexing(places, index)
    assert indexing.catch_up(60)
    index.remove(index.stamps().keys())
    assert not indexing.catch_up(0)
    assert index.stamps() == {}
    indexing.begin()
    indexing.wait()
    assert len(index.stamps()) == 100


def test_many_at_once(histories: Histories) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(10):
                histories.save(ALICE, f"{number}", said(f"needle {number} {turn}"))
                histories.list(ALICE)
                assert f"{number}" in found(histories, f"needle {number} {turn}")
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    threads = [Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
