"""Files that are dropped on the page become characters and lorebooks; nothing is replaced without asking."""

import json
from pathlib import Path
from typing import Any

import gradio as gr

from modules.chat.session import session
from modules.events import Started
from modules.library.characters.character import Character
from modules.library.chats.histories import Place
from modules.library.chats.history import History
from modules.ui.characters.acts import GridActs
from modules.ui.characters.dropping import CardDrop, DropParts
from modules.ui.characters.form import Form, form_parts
from modules.ui.characters.grid import CharacterCards
from modules.ui.characters.stores import CharacterStore
from modules.ui.chat.view import info_of
from modules.ui.page.page import Page
from modules.ui.replies.draft import Drafting
from tests.ui.characters.test_form import content_of, picture
from tests.ui.open_page import Seen, open_page


def event(**asked: Any) -> gr.EventData:
    return gr.EventData(None, asked)


class Dropping:
    """What one browser is told."""

    def __init__(self, page: Page, folder: Path) -> None:
        with gr.Blocks():
            self._parts = DropParts(gr.File(), gr.HTML(), gr.State(None))
        self.drop = CardDrop(page, self._parts)
        self._folder = folder
        self._seen = Seen()

    async def put(self, name: str, content: object) -> dict[str, Any]:
        path = self._folder / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        self._seen.show(await self.drop.opened(str(path)))
        return self.news

    async def answer(self, act: str) -> dict[str, Any]:
        self._seen.show(await self.drop.decided(self._seen.values[self._parts.waiting], event(act=act)))
        return self.news

    @property
    def news(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self._seen.values[self._parts.news])
        return told


ADA = {"spec": "chara_card_v3", "data": {"name": "Ada", "first_mes": "Hi.", "alternate_greetings": ["Ho."]}}


async def test_a_card_is_taken_in_and_the_second_time_asked_about(tmp_path: Path) -> None:
    async with open_page(tmp_path / "data") as page:
        dropping, characters = Dropping(page, tmp_path), page.runtime.library.characters
        first = await dropping.put("a.json", ADA)
        assert (first["kind"], first["file"], first["notes"]) == ("added", "Ada", ["1 alternate greeting"])
        assert (await dropping.put("again.json", ADA))["kind"] == "known"
        newer = {"spec": "chara_card_v3", "data": {"name": "Ada", "first_mes": "Hello."}}
        assert (await dropping.put("new.json", newer))["kind"] == "taken"
        assert characters.read("Ada").greeting == "Hi."
        assert (await dropping.answer("both"))["file"] == "Ada_001"
        assert (await dropping.answer("both"))["kind"] == "failed"
        await dropping.put("new.json", newer)
        assert (await dropping.answer("replace"))["file"] == "Ada"
        assert characters.read("Ada").greeting == "Hello."
        assert characters.names() == ["Ada", "Ada_001"]


async def test_a_lorebook_is_kept_beside_those_there_are(tmp_path: Path) -> None:
    world = {"entries": {"0": {"key": ["a"], "content": "b", "sticky": 3, "vectorized": True}}}
    async with open_page(tmp_path / "data") as page:
        dropping = Dropping(page, tmp_path)
        news = [await dropping.put("World.json", world) for _ in range(2)]
        assert [each["file"] for each in news] == ["World", "World_001"]
        assert (news[0]["entries"], news[0]["unused"]) == (1, ["vector search"])
        assert page.runtime.library.lorebooks.read("World").entries[0].content == "b"


async def test_what_is_no_character_says_so(tmp_path: Path) -> None:
    async with open_page(tmp_path / "data") as page:
        dropping = Dropping(page, tmp_path)
        for name, content in (("a.json", b"[1"), ("a.png", picture()), ("a.yaml", b"greeting: hi"), ("b.json", b"{")):
            told = await dropping.put(name, content)
            assert (told["kind"], name in told["message"]) == ("failed", True)
        assert page.runtime.library.characters.names() == []


async def test_visitors_who_are_kept_apart_bring_nothing(tmp_path: Path) -> None:
    async with open_page(tmp_path / "data", multi_user=True) as page:
        told = await Dropping(page, tmp_path).put("a.json", ADA)
        assert "--multi-user" in told["message"]
        assert page.runtime.library.characters.names() == []


async def test_the_grid_shows_everybody_and_its_menu_acts(tmp_path: Path) -> None:
    async with open_page(tmp_path / "data") as page:
        library = page.runtime.library.characters
        library.save("Ann", Character("Ann Li", "She sails.", tags=("sea",), creator="me"), picture=picture())
        (tmp_path / "data/characters/Bad.yaml").write_text("name: [")
        ann, bad = json.loads(await CharacterCards(page).shown())
        assert (ann["file"], ann["name"], ann["text"], ann["tags"]) == ("Ann", "Ann Li", "She sails.", ["sea"])
        assert ann["picture"].startswith("data:image/")
        assert bad["broken"]
        assert "line 1" in bad["text"]
        with gr.Blocks():
            parts, download = form_parts(CharacterStore(library), can_save=True), gr.DownloadButton()
        acts, seen = GridActs(page, Form(page, CharacterStore(library), parts), parts, gr.HTML(), download), Seen()
        seen.show(await acts.act(None, event(act="duplicate", file="Ann")))
        assert seen.values[parts.menu] == "Ann_001"
        copied = library.read("Ann_001")
        assert (copied.creator, copied.picture is not None) == ("me", True)
        seen.show(await acts.act(None, event(act="export", file="Ann", form="json")))
        assert json.loads(content_of(Path(seen.values[download])))["data"]["tags"] == ["sea"]
        seen.show(await acts.act(None, event(act="delete", file="Ann_001")))
        assert library.names() == ["Ann", "Bad"]
        assert seen.properties[parts.undo]["visible"]


async def test_a_reply_says_which_entries_it_was_written_with(tmp_path: Path) -> None:
    """And still does when the chat is read again."""
    history = session.with_reply(session.with_message(History(), "Hi"), "Ho", lore="Harbour, Quay")
    async with open_page(tmp_path / "data") as page:
        histories = page.runtime.library.histories
        histories.save(Place("Ann"), "chat", history)
        turn = histories.read(Place("Ann"), "chat").rows[0].assistant
    assert info_of(turn) == "Lorebook: Harbour, Quay"
    drafting = Drafting()
    drafting.add(Started(model="m", prompt_tokens=1, lore=("Harbour", "Quay")))
    assert drafting.draft.lore == "Harbour, Quay"
