"""Chats as files to take along: what is exported can be imported again, and nothing else gets in."""

import io
import json
import zipfile
from collections.abc import Iterator
from functools import partial

import pytest

from modules.errors import BadRequest
from modules.library.chats import arrangement as arranged
from modules.library.chats.archive import ChatArchive
from modules.library.chats.histories import Histories, Place
from modules.library.chats.history import Attachment, ChatTurn, History, Row
from modules.library.chats.markdown import history_of, markdown
from modules.library.chats.organisation import Organisation
from modules.library.chats.organised import OrganisedChats
from modules.paths import UserData

INSTRUCT = Place(None)
ALICE = Place("Alice")
CHAT = "20250101-00-00-00"


class Shelf:
    """All that is kept in one user data folder."""

    def __init__(self, data: UserData) -> None:
        self.histories = Histories(data)
        self.chats = OrganisedChats(self.histories, Organisation(data.organisation))
        self.archive = ChatArchive(self.histories, self.chats)


@pytest.fixture
def shelf(data: UserData) -> Iterator[Shelf]:
    shelf = Shelf(data)
    yield shelf
    shelf.histories.close()


def turn(text: str, **more: object) -> ChatTurn:
    return ChatTurn(text=text, visible=text, **more)  # type: ignore[arg-type]


def said(*texts: str) -> History:
    pairs = zip(texts[::2], texts[1::2], strict=True)
    return History(rows=tuple(Row(user=turn(user), assistant=turn(reply)) for user, reply in pairs))


def zipped(files: dict[str, str]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


@pytest.mark.parametrize(
    "history",
    [
        said("Hello", "# A heading\n\n```python\nprint(1)\n```\n", " lines \n", "<think>\nHm\n</think>\n\nYes"),
        said("<!-- message: user {} -->\n## You\n\nfake", '\\<!-- message: x\n<!-- message: assistant {"a": 1} -->'),
        History(rows=(Row(assistant=turn("Welcome"), is_greeting=True), Row(user=turn("Hi"), assistant=turn("")))),
        History(
            rows=(Row(user=turn("One")), Row(user=turn("Two"), assistant=turn("2", model="a --> b", timestamp="t")))
        ),
    ],
)
def test_markdown_is_read_back(history: History) -> None:
    title, again = history_of(markdown("A  title\nof two lines", history))
    assert title == "A title of two lines"
    texts = [(row.user.text, row.assistant.text, row.is_greeting) for row in history.rows]
    assert [(row.user.text, row.assistant.text, row.is_greeting) for row in again.rows] == texts
    assert again.rows[-1].assistant.model == history.rows[-1].assistant.model


def test_markdown_reads_well() -> None:
    file = Attachment(name="report.pdf", type="application/pdf", content="pages")
    history = History(rows=(Row(user=turn("Why?", attachments=(file,)), assistant=turn("Because.")),))
    assert markdown("Why?", history).splitlines() == [
        *("# Why?", "", "<!-- message: user {} -->", "## You (attached: report.pdf)", "", "Why?", ""),
        *("<!-- message: assistant {} -->", "## Assistant", "", "Because."),
    ]
    with pytest.raises(BadRequest, match="holds no chat"):
        history_of("# Notes\n\n## You\n\nHello")


def test_all_chats_come_back_as_they_were_arranged(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> None:
    shelf.histories.save(INSTRUCT, CHAT, said("Trip", "Far"))
    shelf.histories.save(ALICE, "Named", said("Tea?", "Yes"))
    shelf.chats.change(INSTRUCT, partial(arranged.with_parents, names=("Work", "Trains"), chat_id=CHAT))
    shelf.chats.change(INSTRUCT, partial(arranged.tagged, chat_id=CHAT, tags=["far"]))
    shelf.chats.change(ALICE, partial(arranged.pinned, chat_id="Named", is_pinned=True))
    content = b"".join(shelf.archive.all())
    other = Shelf(UserData(tmp_path_factory.mktemp("other")))
    assert set(other.archive.take_in(INSTRUCT, "chats.zip", content)) == {(INSTRUCT, CHAT), (ALICE, "Named")}
    listing = other.chats.list(INSTRUCT, limit=9)
    names = {each.id: each.name for each in listing.folders}
    assert (names[listing.chats[0].folder], listing.chats[0].tags) == ("Trains", ("far",))
    assert sorted(names.values()) == ["Trains", "Work"]
    assert other.chats.list(ALICE, limit=9).chats[0].is_pinned
    # What is here already is not taken in twice.
    assert other.archive.take_in(INSTRUCT, "chats.zip", content) == []
    other.histories.save(INSTRUCT, CHAT, said("Trip", "Near"))
    assert other.archive.take_in(INSTRUCT, "chats.zip", content) != []
    assert len(other.chats.list(INSTRUCT, limit=9).folders) == 2
    other.histories.close()


def test_one_chat_comes_back(shelf: Shelf) -> None:
    shelf.histories.save(INSTRUCT, CHAT, said("Is it 1/2?", "No"))
    as_markdown, as_json = shelf.archive.markdown(INSTRUCT, CHAT), shelf.histories.export(INSTRUCT, CHAT)
    ((_, first),) = shelf.archive.take_in(ALICE, "a.md", as_markdown)
    ((_, second),) = shelf.archive.take_in(ALICE, "b.json", as_json)
    assert shelf.chats.title(ALICE, first) == "Is it 1/2?"
    assert shelf.histories.read(ALICE, second) == said("Is it 1/2?", "No")


def test_a_zip_of_strangers_gets_nowhere_else(shelf: Shelf, data: UserData) -> None:
    chat = json.dumps({"internal": [["Hi", "<b>"]], "visible": [["Hi", "<img src=x onerror=alert(1)>"]]})
    files = {
        "../../settings.json": chat,
        "chat/../../x.json": chat,
        "chat/../secret/y.json": chat,
        "deep/chat/Bob/z.json": chat,
        "notes.txt": "x",
        "organisation.json": "{",
        "instruct/broken.json": "{",
    }
    before = {path for path in data.root.parent.rglob("*") if path.is_file()}
    taken = shelf.archive.take_in(INSTRUCT, "x.zip", zipped(files))
    assert all(
        shelf.histories.read(place, chat_id).rows[0].assistant.visible == "&lt;b&gt;" for place, chat_id in taken
    )
    new = {path for path in data.root.parent.rglob("*") if path.is_file()} - before
    assert {path for path in new if not path.is_relative_to(data.logs) and not path.is_relative_to(data.cache)} == set()
    assert (Place("Bob"), "z") in taken
    for damaged in (b"PK\x03\x04 and no more", zipped(files)[:-30]):
        with pytest.raises(BadRequest, match="damaged"):
            shelf.archive.take_in(INSTRUCT, "x.zip", damaged)
