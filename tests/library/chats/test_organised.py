"""Pins, folders, tags and titles: where they are kept, what they go along with, and that they outlive a damaged file."""

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from modules.errors import BadRequest, NotFound
from modules.library.chats import arrangement as arranged
from modules.library.chats.histories import Histories, Place
from modules.library.chats.history import ChatTurn, History, Row
from modules.library.chats.organisation import Organisation, arrangement_in
from modules.library.chats.organised import LinkedChat, OrganisedChats
from modules.paths import UserData

INSTRUCT = Place(None)
ALICE = Place("Alice")
FIRST = "20250101-00-00-00"
SECOND = "20250102-00-00-00"


@pytest.fixture
def histories(data: UserData) -> Iterator[Histories]:
    histories = Histories(data)
    yield histories
    histories.close()


@pytest.fixture
def chats(histories: Histories, data: UserData) -> OrganisedChats:
    """Two chats without a name, which were changed long ago."""
    for seconds, (chat, text) in enumerate({FIRST: "Trip to Vienna", SECOND: "Sourdough bread"}.items()):
        histories.save(INSTRUCT, chat, said(text))
        os.utime(data.instruct_logs / f"{chat}.json", (seconds, seconds))
    return reopened(histories, data)


def reopened(histories: Histories, data: UserData) -> OrganisedChats:
    return OrganisedChats(histories, Organisation(data.organisation))


def said(text: str, reply: str = "") -> History:
    return History(rows=(Row(user=ChatTurn(text=text, visible=text), assistant=ChatTurn(text=reply, visible=reply)),))


def pin(chats: OrganisedChats, chat: str) -> None:
    chats.change(INSTRUCT, partial(arranged.pinned, chat_id=chat, is_pinned=True))


def tag(chats: OrganisedChats, chat: str, *tags: str) -> None:
    chats.change(INSTRUCT, partial(arranged.tagged, chat_id=chat, tags=tags))


def move(chats: OrganisedChats, chat: str, folder: str) -> None:
    chats.change(INSTRUCT, partial(arranged.moved, chat_id=chat, folder_id=folder))


def make_folder(chats: OrganisedChats, name: str, parent: str = "") -> str:
    made: list[str] = []

    def act(before: arranged.Arrangement) -> arranged.Arrangement:
        after, folder = arranged.with_folder(before, name, parent)
        made.append(folder)
        return after

    chats.change(INSTRUCT, act)
    return made[0]


def titles(chats: OrganisedChats, words: str = "") -> list[str]:
    listing = chats.search(words, INSTRUCT, limit=50) if words else chats.list(INSTRUCT, limit=50)
    return [chat.title for chat in listing.chats]


def test_what_was_arranged_is_there_again(chats: OrganisedChats, histories: Histories, data: UserData) -> None:
    before = (data.instruct_logs / f"{FIRST}.json").read_bytes()
    pin(chats, SECOND)
    work = make_folder(chats, "Work")
    inner = make_folder(chats, "Trains", work)
    move(chats, FIRST, inner)
    tag(chats, FIRST, "#travel", "old  times", "travel")
    listing = reopened(histories, data).list(INSTRUCT, limit=0)
    second, first = listing.chats
    assert (second.title, second.is_pinned, second.folder) == ("Sourdough bread", True, "")
    assert (first.title, first.is_pinned, first.folder, first.tags) == (
        "Trip to Vienna",
        False,
        inner,
        ("travel", "old times"),
    )
    assert [(each.name, each.parent) for each in listing.folders] == [("Work", ""), ("Trains", work)]
    assert not listing.has_more
    assert reopened(histories, data).list(ALICE, limit=50).folders == ()
    assert (data.instruct_logs / f"{FIRST}.json").read_bytes() == before
    assert data.organisation.parent == data.logs


def test_the_list_says_whether_there_is_more(chats: OrganisedChats) -> None:
    listing = chats.list(INSTRUCT, limit=1)
    assert ([chat.title for chat in listing.chats], listing.has_more) == (["Sourdough bread"], True)
    pin(chats, SECOND)
    assert not chats.list(INSTRUCT, limit=1).has_more


@pytest.mark.parametrize("name", ["What is 1/2?", "20250101-10-00-00", "Sourdough", "incognito-x", "…:|", "x" * 300])
def test_any_name_can_be_given(chats: OrganisedChats, histories: Histories, data: UserData, name: str) -> None:
    """Those that no file can have, or another chat has, too."""
    assert chats.rename(INSTRUCT, SECOND, "Sourdough") == "Sourdough"
    pin(chats, FIRST)
    chat = chats.rename(INSTRUCT, FIRST, name)
    again = reopened(histories, data)
    assert again.title(INSTRUCT, chat) == name[:80]
    assert again.notes(INSTRUCT, chat).is_pinned
    assert again.current(INSTRUCT, FIRST) == chat
    assert histories.read(INSTRUCT, chat) == said("Trip to Vienna")


def test_a_name_that_was_given_twice_counts_as_it_was_given_last(chats: OrganisedChats, histories: Histories) -> None:
    assert chats.rename(INSTRUCT, FIRST, "a/b") == FIRST
    assert chats.rename(INSTRUCT, FIRST, "Vienna") == "Vienna"
    assert chats.rename(INSTRUCT, "Vienna", "Wien") == "Wien"
    assert titles(chats) == ["Sourdough bread", "Wien"]
    assert chats.current(INSTRUCT, FIRST) == "Wien"
    with pytest.raises(BadRequest, match="Give the chat a name"):
        chats.rename(INSTRUCT, "Wien", " \n")
    with pytest.raises(NotFound):
        chats.rename(INSTRUCT, "20000101-00-00-00", "x")
    # Whoever gets the old id next is another chat.
    histories.save(INSTRUCT, FIRST, said("Another"))
    assert chats.current(INSTRUCT, FIRST) in {FIRST, "Wien"}


def test_the_model_names_only_what_nobody_has_named(chats: OrganisedChats) -> None:
    chats.name_once(INSTRUCT, FIRST, "Vienna by train")
    chats.name_once(INSTRUCT, FIRST, "Later")
    named = chats.rename(INSTRUCT, SECOND, "Bread")
    chats.name_once(INSTRUCT, named, "Later")
    chats.name_once(INSTRUCT, "20000101-00-00-00", "Gone")
    assert titles(chats) == ["Bread", "Vienna by train"]


def test_undoing_a_deletion_brings_back_what_was_arranged(chats: OrganisedChats, data: UserData) -> None:
    folder = make_folder(chats, "Work")
    move(chats, FIRST, folder)
    pin(chats, FIRST)
    chats.change(INSTRUCT, partial(arranged.titled, chat_id=FIRST, title="Vienna"))
    removed = chats.delete(INSTRUCT, FIRST)
    assert FIRST not in data.organisation.read_text()
    assert chats.restore(removed) == FIRST
    (chat,) = (each for each in chats.list(INSTRUCT, limit=50).chats if each.id == FIRST)
    assert (chat.title, chat.is_pinned, chat.folder) == ("Vienna", True, folder)
    removed = chats.delete(INSTRUCT, FIRST)
    chats.change(INSTRUCT, lambda before: arranged.without_folder(before, folder))
    assert chats.notes(INSTRUCT, chats.restore(removed)) == arranged.ChatNotes(title="Vienna", is_pinned=True)


def test_branches_can_be_told_from_each_other(chats: OrganisedChats) -> None:
    folder = make_folder(chats, "Work")
    move(chats, FIRST, folder)
    tag(chats, FIRST, "travel")
    pin(chats, FIRST)
    text = said("Trip to Vienna")
    branches = [chats.copy(INSTRUCT, FIRST, text, kind="branch") for _ in range(2)]
    branches.append(chats.copy(INSTRUCT, branches[0], text, kind="branch"))
    branches.append(chats.copy(INSTRUCT, branches[1], text, kind="copy"))
    assert [chats.title(INSTRUCT, branch) for branch in branches] == [
        *("Trip to Vienna (branch)", "Trip to Vienna (branch 2)", "Trip to Vienna (branch 3)"),
        "Trip to Vienna (copy)",
    ]
    notes = chats.notes(INSTRUCT, branches[0])
    assert (notes.folder, notes.tags, notes.is_pinned) == (folder, ("travel",), False)


def test_a_branch_knows_where_it_branched_off(chats: OrganisedChats) -> None:
    origin = arranged.ChatOrigin(chat=FIRST, row=2, digest="ab")
    branch = chats.copy(INSTRUCT, FIRST, said("Trip"), kind="branch", origin=origin)
    copy = chats.copy(INSTRUCT, branch, said("Trip"), kind="copy")
    assert chats.branches_of(INSTRUCT, FIRST) == (LinkedChat(id=branch, title="Trip (branch)", origin=origin),)
    assert (chats.branches_of(INSTRUCT, branch), chats.branched_from(INSTRUCT, copy)) == ((), None)
    # Both may get another name.
    parent, branch = chats.rename(INSTRUCT, FIRST, "Vienna"), chats.rename(INSTRUCT, branch, "Graz")
    found = chats.branched_from(INSTRUCT, branch)
    assert found is not None
    assert (found.id, found.title, found.origin.row) == (parent, "Vienna", 2)
    assert [each.title for each in chats.branches_of(INSTRUCT, parent)] == ["Graz"]
    # One that is gone is no error, and there again when it is restored.
    removed = chats.delete(INSTRUCT, parent)
    assert chats.branched_from(INSTRUCT, branch) is None
    assert chats.restore(removed) == parent
    assert chats.branched_from(INSTRUCT, branch) == found
    chats.delete(INSTRUCT, branch)
    assert chats.branches_of(INSTRUCT, parent) == ()
    for damaged in (3, {"chat": 3, "row": 1}, {"chat": "a", "row": -1}, {"chat": "", "row": 1}):
        stored = {"places": {"instruct": {"chats": {FIRST: {"branched_from": damaged}}}}}
        assert arrangement_in(json.dumps(stored).encode())["instruct"].notes(FIRST).origin is None


def test_folders_have_two_levels(chats: OrganisedChats) -> None:
    work = make_folder(chats, " Work ")
    inner = make_folder(chats, "Trains", work)
    play = make_folder(chats, "Play")
    move(chats, FIRST, inner)
    for parent, child in ((inner, play), (play, work), (work, work)):
        with pytest.raises(BadRequest, match="two levels"):
            chats.change(INSTRUCT, partial(arranged.folder_moved, folder_id=child, parent=parent))
    with pytest.raises(BadRequest, match="two levels"):
        make_folder(chats, "Third", inner)
    for wrong in (partial(move, chats, FIRST), partial(make_folder, chats, "x")):
        with pytest.raises(NotFound, match="That folder is gone"):
            wrong("nowhere")
    chats.change(INSTRUCT, partial(arranged.folder_renamed, folder_id=work, name="Jobs"))
    chats.change(INSTRUCT, partial(arranged.without_folder, folder_id=inner))
    assert chats.notes(INSTRUCT, FIRST).folder == work
    chats.change(INSTRUCT, partial(arranged.folder_moved, folder_id=play, parent=work))
    chats.change(INSTRUCT, partial(arranged.without_folder, folder_id=work))
    assert [(each.name, each.parent) for each in chats.list(INSTRUCT, limit=9).folders] == [("Play", "")]
    assert chats.notes(INSTRUCT, FIRST) == arranged.NOTHING_NOTED


def test_search_finds_texts_titles_and_tags(chats: OrganisedChats, histories: Histories) -> None:
    histories.save(INSTRUCT, FIRST, said("Trip to Vienna", "Take the night train, it is cheap"))
    chats.rename(INSTRUCT, SECOND, "a/b bread")
    tag(chats, SECOND, "kitchen")
    assert titles(chats, "train") == ["Trip to Vienna"]
    (found,) = chats.search("nig train", INSTRUCT, limit=9).chats
    assert [text for text, is_looked_for in found.pieces if is_looked_for] == ["night", "train"]
    assert "".join(text for text, _ in found.pieces) == "Trip to Vienna Take the night train, it is cheap"
    assert found.changed > 1
    assert titles(chats, "A/B") == ["a/b bread"]
    assert titles(chats, "#kitch") == titles(chats, "sour #kitchen") == ["a/b bread"]
    assert titles(chats, "vienna #kitchen") == titles(chats, "nothing") == []


@pytest.mark.parametrize("damage", ["{", '{"places": []}', '{"places": {"instruct": {"folders": [1]}}}', "\xff"])
def test_a_damaged_file_is_told_of_and_kept(
    chats: OrganisedChats, histories: Histories, data: UserData, damage: str
) -> None:
    pin(chats, FIRST)
    data.organisation.write_bytes(damage.encode("latin-1"))
    listing = chats.list(INSTRUCT, limit=50)
    assert [chat.is_pinned for chat in listing.chats] == [False, False]
    assert "organisation.json" in listing.problem
    assert data.organisation.read_bytes() == damage.encode("latin-1")
    pin(chats, SECOND)
    (aside,) = data.logs.glob("organisation.damaged-*.json")
    assert aside.read_bytes() == damage.encode("latin-1")
    assert aside.name in chats.list(INSTRUCT, limit=50).problem
    assert reopened(histories, data).list(INSTRUCT, limit=50).chats[0].is_pinned


def test_what_others_wrote_into_the_file_stays(chats: OrganisedChats, data: UserData) -> None:
    known = {"folders": [], "chats": {FIRST: {"pinned": True, "colour": "red", "folder": "gone"}}, "note": 1}
    data.organisation.write_text(json.dumps({"x": 1, "places": {"instruct": known, "chat_Bob": {"y": 2}}}))
    tag(chats, FIRST, "t")
    content = json.loads(data.organisation.read_text())
    assert (content["x"], content["places"]["chat_Bob"]) == (1, {"y": 2})
    assert content["places"]["instruct"]["note"] == 1
    assert content["places"]["instruct"]["chats"] == {FIRST: {"colour": "red", "pinned": True, "tags": ["t"]}}


def test_folders_in_a_ring_are_taken_apart(chats: OrganisedChats, data: UserData) -> None:
    parents = {"a": "b", "b": "a", "c": "", "d": "c", "e": "d", "f": "gone"}
    folders = [{"id": each, "name": each, "parent": parent} for each, parent in parents.items()]
    data.organisation.write_text(json.dumps({"places": {"instruct": {"folders": folders}}}))
    read = {each.id: each.parent for each in chats.list(INSTRUCT, limit=9).folders}
    assert read == {"a": "", "b": "", "c": "", "d": "c", "e": "", "f": ""}


def test_nothing_is_written_without_a_change(chats: OrganisedChats, data: UserData) -> None:
    chats.change(INSTRUCT, partial(arranged.pinned, chat_id=FIRST, is_pinned=False))
    with pytest.raises(BadRequest):
        tag(chats, FIRST, "x" * 31)
    assert not data.organisation.exists()
    assert list(Path(data.logs).glob("*.json")) == []
