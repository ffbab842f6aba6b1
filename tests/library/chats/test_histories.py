"""Conversations on disk: what is saved is there again, what is deleted or renamed stays so, whoever has it open."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.errors import BadRequest, NotFound
from modules.library.chats.histories import INCOGNITO, Histories, Place
from modules.library.chats.history import Attachment, ChatTurn, History, Row
from modules.paths import UserData
from tests.library.history_files import PIXEL, full, legacy
from tests.library.names import CANARY, HOSTILE

INSTRUCT = Place(None)
ALICE = Place("Alice")


@pytest.fixture
def histories(data: UserData) -> Iterator[Histories]:
    histories = Histories(data)
    yield histories
    histories.close()


def said(*texts: str) -> History:
    return History(rows=tuple(Row(user=ChatTurn(text=text, visible=text)) for text in texts))


def titles(histories: Histories, place: Place) -> list[str]:
    return [entry.title for entry in histories.list(place)]


def changed(path: Path, seconds: int) -> None:
    os.utime(path, (seconds, seconds))


def test_a_chat_lies_where_it_always_has(histories: Histories, data: UserData) -> None:
    histories.save(ALICE, "20251123-00-31-00", said("Hi"))
    histories.save(INSTRUCT, "20251123-00-31-00", said("Ho"))
    assert json.loads((data.chat_logs / "Alice" / "20251123-00-31-00.json").read_bytes())["internal"] == [["Hi", ""]]
    assert (data.instruct_logs / "20251123-00-31-00.json").is_file()
    assert histories.read(ALICE, "20251123-00-31-00") == said("Hi")
    assert histories.read(INSTRUCT, "20251123-00-31-00") == said("Ho")


def test_new_ids_are_times_that_nobody_has(histories: Histories, data: UserData) -> None:
    ids = [histories.new_id(ALICE) for _ in range(5)]
    assert len(set(ids)) == 5
    assert sorted(ids) == ids
    assert not data.chat_logs.exists()
    later = histories.new_id(ALICE)
    histories.save(INSTRUCT, later, said("x"))
    assert histories.new_id(INSTRUCT) != later


def test_the_list_has_the_last_changed_first(histories: Histories, data: UserData) -> None:
    for number in range(5):
        histories.save(ALICE, f"2025010{number}-00-00-00", said(f"message {number}"))
        changed(data.chat_logs / "Alice" / f"2025010{number}-00-00-00.json", 1000 + (number * 3) % 5)
    assert titles(histories, ALICE) == ["message 3", "message 1", "message 4", "message 2", "message 0"]
    assert [entry.title for entry in histories.list(ALICE, limit=2, offset=1)] == ["message 1", "message 4"]
    assert histories.list(ALICE, limit=1)[0].changed == 1004
    assert histories.list(INSTRUCT) == []


def test_titles(histories: Histories, data: UserData) -> None:
    histories.save(ALICE, "Our talk", said("x"))
    histories.save(ALICE, "20250101-00-00-00", said("\n one two three\nfour five six seven eight"))
    histories.save(ALICE, "20250101-00-00-01", History(rows=(Row(assistant=ChatTurn(text="Hello"), is_greeting=True),)))
    long = "Give me three ideas for a rainy afternoon with two children who are tired of games and of films"
    histories.save(ALICE, "20250101-00-00-02", said(long))
    file = Attachment(name="report.pdf", type="application/pdf")
    histories.save(ALICE, "20250101-00-00-03", History(rows=(Row(user=ChatTurn(attachments=(file,))),)))
    (data.chat_logs / "Alice" / "20250101-00-00-04.json").write_text("{")
    assert set(titles(histories, ALICE)) == {
        *("Our talk", "one two three", "New chat", "report.pdf", "Unreadable chat"),
        "Give me three ideas for a rainy afternoon with two children who are tired of ga…",
    }


def test_chats_are_listed_however_old_they_are(histories: Histories, data: UserData) -> None:
    for number in range(5):
        histories.save(ALICE, f"2025010{number}-00-00-00", said(f"message {number}"))
        changed(data.chat_logs / "Alice" / f"2025010{number}-00-00-00.json", 1000 + number)
    also = frozenset({"20250100-00-00-00", "20250104-00-00-00", "20250109-00-00-00"})
    listed = [entry.title for entry in histories.list(ALICE, limit=1, also=also)]
    assert listed == ["message 4", "message 3", "message 0"]


def test_titles_follow_the_file(histories: Histories) -> None:
    histories.save(ALICE, "20250101-00-00-00", said("before"))
    assert titles(histories, ALICE) == ["before"]
    histories.save(ALICE, "20250101-00-00-00", said("afterwards"))
    assert titles(histories, ALICE) == ["afterwards"]


def test_files_that_hold_no_chat_are_listed_and_refused(histories: Histories, data: UserData) -> None:
    data.instruct_logs.mkdir(parents=True)
    (data.instruct_logs / "broken.json").write_text("{", encoding="utf-8")
    (data.instruct_logs / "notes.txt").write_text("x", encoding="utf-8")
    (data.instruct_logs / ".draft.json").write_text("x", encoding="utf-8")
    assert titles(histories, INSTRUCT) == ["broken"]
    with pytest.raises(BadRequest, match=r"broken\.json is not valid JSON") as caught:
        histories.read(INSTRUCT, "broken")
    assert caught.value.param == "chat"


def test_a_link_that_leads_out_is_not_followed(histories: Histories, data: UserData) -> None:
    data.instruct_logs.mkdir(parents=True)
    (data.root / "secret.json").write_text(json.dumps({"internal": [[CANARY, ""]]}), encoding="utf-8")
    (data.instruct_logs / "20250101-00-00-00.json").symlink_to(data.root / "secret.json")
    assert CANARY not in str(histories.list(INSTRUCT))
    assert histories.search(CANARY) == []
    with pytest.raises(BadRequest):
        histories.read(INSTRUCT, "20250101-00-00-00")


def test_a_missing_chat(histories: Histories) -> None:
    for act in (histories.read, histories.delete, histories.export):
        with pytest.raises(NotFound, match="no chat 'x'"):
            act(INSTRUCT, "x")
    assert histories.stamp(INSTRUCT, "x") is None


def test_half_characters_are_kept(histories: Histories) -> None:
    histories.save(ALICE, "x", said("a\ud800b"))
    assert histories.read(ALICE, "x") == said("a\ud800b")
    assert titles(histories, ALICE) == ["x"]
    assert [hit.id for hit in histories.search("a")] == ["x"]


def test_incognito_chats_are_never_written(histories: Histories, data: UserData) -> None:
    with pytest.raises(BadRequest, match="never written"):
        histories.save(ALICE, f"{INCOGNITO}1", said("secret"))
    histories.set_last(ALICE, f"{INCOGNITO}1")
    assert not data.logs.exists()
    branch = histories.copy(ALICE, f"{INCOGNITO}1", said("no longer"))
    assert not branch.startswith(INCOGNITO)
    with pytest.raises(BadRequest, match="never written"):
        histories.rename(ALICE, branch, f"{INCOGNITO}2")


def test_deleting_and_undoing(histories: Histories, data: UserData) -> None:
    histories.save(ALICE, "x", said("Hi"))
    path = data.chat_logs / "Alice" / "x.json"
    changed(path, 1000)
    before = path.read_bytes()
    removed = histories.delete(ALICE, "x")
    assert (titles(histories, ALICE), path.exists()) == ([], False)
    assert histories.restore(removed) == "x"
    assert (path.read_bytes(), histories.list(ALICE)[0].changed) == (before, 1000)
    with pytest.raises(NotFound, match="too long ago"):
        histories.restore(removed)


def test_an_undo_writes_over_nothing(histories: Histories) -> None:
    histories.save(ALICE, "x", said("old"))
    removed = histories.delete(ALICE, "x")
    histories.save(ALICE, "y", said("new"))
    histories.rename(ALICE, "y", "x")
    assert histories.restore(removed) == "x_001"
    assert histories.read(ALICE, "x") == said("new")
    assert histories.read(ALICE, "x_001") == said("old")


def test_only_the_last_deletions_can_be_undone(histories: Histories) -> None:
    for number in range(21):
        histories.save(ALICE, f"chat {number}", said("x"))
    removed = [histories.delete(ALICE, f"chat {number}") for number in range(21)]
    with pytest.raises(NotFound):
        histories.restore(removed[0])
    assert histories.restore(removed[1]) == "chat 1"


def test_a_deleted_chat_is_not_brought_back_by_a_save(histories: Histories, data: UserData) -> None:
    histories.save(ALICE, "x", said("Hi"))
    removed = histories.delete(ALICE, "x")
    with pytest.raises(NotFound, match="was deleted"):
        histories.save(ALICE, "x", said("Hi", "streamed meanwhile"))
    assert not (data.chat_logs / "Alice" / "x.json").exists()
    histories.restore(removed)
    histories.save(ALICE, "x", said("Hi", "again"))
    assert histories.read(ALICE, "x") == said("Hi", "again")


def test_a_renamed_chat_goes_on_under_its_new_name(histories: Histories, data: UserData) -> None:
    histories.save(ALICE, "20250101-00-00-00", said("Hi"))
    assert histories.rename(ALICE, "20250101-00-00-00", " Our talk ") == "Our talk"
    assert histories.save(ALICE, "20250101-00-00-00", said("Hi", "more")) == "Our talk"
    assert os.listdir(data.chat_logs / "Alice") == ["Our talk.json"]
    assert histories.read(ALICE, "20250101-00-00-00") == said("Hi", "more")
    assert histories.rename(ALICE, "Our talk", "20250101-00-00-00") == "20250101-00-00-00"
    assert histories.save(ALICE, "Our talk", said("x")) == "20250101-00-00-00"


def test_names_that_are_taken_or_are_none(histories: Histories) -> None:
    histories.save(ALICE, "a", said("a"))
    histories.save(ALICE, "b", said("b"))
    with pytest.raises(BadRequest, match="named 'b' already") as caught:
        histories.rename(ALICE, "a", "b")
    assert caught.value.param == "name"
    with pytest.raises(BadRequest):
        histories.rename(ALICE, "a", "  ")
    assert (histories.read(ALICE, "a"), histories.read(ALICE, "b")) == (said("a"), said("b"))
    assert histories.rename(ALICE, "a", "a") == "a"


def test_branches(histories: Histories) -> None:
    histories.save(ALICE, "20250101-00-00-00", said("a", "b"))
    histories.save(ALICE, "Our talk", said("a", "b"))
    first = histories.copy(ALICE, "20250101-00-00-00", said("a"))
    assert first > "2026"
    assert histories.copy(ALICE, "Our talk", said("a")) == "Our talk_001"
    assert histories.copy(ALICE, "Our talk", said("a")) == "Our talk_002"
    assert histories.read(ALICE, "Our talk_001") == histories.read(ALICE, first) == said("a")
    assert histories.read(ALICE, "Our talk") == said("a", "b")


def test_the_stamp_tells_of_others(histories: Histories, data: UserData) -> None:
    histories.save(ALICE, "x", said("a"))
    stamp = histories.stamp(ALICE, "x")
    assert stamp == histories.stamp(ALICE, "x")
    changed(data.chat_logs / "Alice" / "x.json", 1000)
    assert histories.stamp(ALICE, "x") == 1000 * 10**9 != stamp


def test_the_last_chat_is_remembered(histories: Histories, data: UserData) -> None:
    data.logs.mkdir()
    data.chat_state.write_text('{"last_chats": {"instruct": "old"}, "theirs": 1}', encoding="utf-8")
    assert histories.last(INSTRUCT) is None
    for chat_id in ("a", "b"):
        histories.save(ALICE, chat_id, said("x"))
        changed(data.chat_logs / "Alice" / f"{chat_id}.json", 1000 + ord(chat_id))
    assert histories.last(ALICE) == "b"
    histories.set_last(ALICE, "a")
    assert histories.last(ALICE) == "a"
    stored = json.loads(data.chat_state.read_bytes())
    assert stored == {"last_chats": {"instruct": "old", "chat_Alice": "a"}, "theirs": 1}
    histories.rename(ALICE, "a", "c")
    assert histories.last(ALICE) == "c"
    histories.delete(ALICE, "c")
    assert histories.last(ALICE) == "b"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"last_chats": 3}', '{"last_chats": {"instruct": "../canary"}}'])
def test_a_damaged_state_is_as_good_as_none(histories: Histories, data: UserData, content: str) -> None:
    data.logs.mkdir()
    data.chat_state.write_text(content, encoding="utf-8")
    assert histories.last(INSTRUCT) is None
    histories.save(INSTRUCT, "a", said("x"))
    histories.set_last(INSTRUCT, "a")
    assert histories.last(INSTRUCT) == "a"


@pytest.mark.parametrize("name", ["Alice_persistent.json", "persistent_Alice.json"])
def test_chats_of_the_oldest_versions_move_into_place(histories: Histories, data: UserData, name: str) -> None:
    data.logs.mkdir()
    (data.logs / name).write_text(json.dumps(legacy()), encoding="utf-8")
    (data.logs / ".._persistent.json").write_text("stays", encoding="utf-8")
    (entry,) = histories.list(ALICE)
    assert entry.title == "Hi"
    assert histories.read(ALICE, entry.id).rows[1].assistant.text == "Hello"
    assert sorted(path.name for path in data.logs.iterdir()) == [".._persistent.json", "chat"]


def test_an_export_can_be_imported(histories: Histories) -> None:
    chat_id = histories.import_file(ALICE, "C:\\talks\\Tour.json", json.dumps(full()).encode())
    assert chat_id == "Tour"
    assert histories.import_file(ALICE, "Tour.json", histories.export(ALICE, "Tour")) == "Tour_001"
    assert histories.read(ALICE, "Tour_001") == histories.read(ALICE, "Tour")
    assert histories.read(ALICE, "Tour").rows[2].user.attachments[0].image_data == PIXEL


@pytest.mark.parametrize("name", ["", "..", f"{INCOGNITO}1.json", "x" * 300, "a:b.json"])
def test_imports_under_names_that_are_none_get_one(histories: Histories, name: str) -> None:
    chat_id = histories.import_file(ALICE, name, json.dumps(full()).encode())
    assert chat_id > "2026"
    assert histories.read(ALICE, chat_id).rows


def test_imports_carry_no_markup(histories: Histories) -> None:
    content = full()
    content["visible"] = [["<script>", "<img onerror=x>"]] * 3
    content["metadata"]["assistant_1"]["versions"][0]["visible_content"] = "<script>"
    content["metadata"]["user_2"]["attachments"] += [
        {"name": "a", "type": "image", "image_data": 'data:image/png;base64,x" onload="x'},
        {"name": "b", "type": "image/svg+xml", "image_data": "data:image/svg+xml;base64,eA=="},
        {"name": "c", "type": "text/html", "url": "javascript:x()", "content": "<script>"},
    ]
    rows = histories.read(ALICE, histories.import_file(ALICE, "x", json.dumps(content).encode())).rows
    shown = [turn.visible for row in rows for turn in (row.user, row.assistant)]
    assert shown[2:] == [
        "What is 6*7 &amp; why?",
        "&lt;think&gt;6*7&lt;/think&gt;It is 42.",
        "See these",
        "I see &lt;them&gt;.",
    ]
    assert rows[1].assistant.versions[0].visible == "No idea."
    assert [each.name for each in rows[2].user.attachments] == ["dot.png", "a.pdf", "b.docx", "c.txt", "Page", "c"]
    assert [each.url for each in rows[2].user.attachments][4:] == ["https://example.org/", ""]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"internal": 1}'])
def test_imports_of_what_is_no_chat(histories: Histories, data: UserData, content: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        histories.import_file(ALICE, "x.json", content)
    assert caught.value.param == "file"
    assert not data.chat_logs.exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_in_their_folders(histories: Histories, data: UserData, name: str) -> None:
    histories.save(ALICE, "mine", said("kept"))
    before = {path: path.read_bytes() for path in data.root.rglob("*") if path.is_file()}
    # A folder's name may be longer than a chat's.
    character = name if len(name) != 201 else "x" * 256
    for place, chat_id in ((Place(character), "x"), (ALICE, name), (INSTRUCT, name)):
        for act in (
            lambda place=place, chat_id=chat_id: histories.read(place, chat_id),
            lambda place=place, chat_id=chat_id: histories.save(place, chat_id, said("x")),
            lambda place=place, chat_id=chat_id: histories.delete(place, chat_id),
            lambda place=place, chat_id=chat_id: histories.rename(place, chat_id, "x"),
            lambda place=place, chat_id=chat_id: histories.set_last(place, chat_id),
        ):
            with pytest.raises(BadRequest) as caught:
                act()
            assert CANARY not in caught.value.message
    with pytest.raises(BadRequest):
        histories.rename(ALICE, "mine", f"../{name}")
    assert {path: path.read_bytes() for path in data.root.rglob("*") if path.is_file()} == before
