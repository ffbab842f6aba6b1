"""Characters and profiles are written, copied, deleted and brought back; only where visitors may keep something."""

import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import gradio as gr
import pytest
import pytest_asyncio
from PIL import Image

from modules.library.characters.character import Character
from modules.library.lorebooks.formats import read_book
from modules.ui.characters.fields import empty_value
from modules.ui.characters.form import Form, form_parts
from modules.ui.characters.stores import CharacterStore, FormStore, UserStore
from modules.ui.page.page import Page
from tests.library.names import HOSTILE
from tests.ui.open_page import Seen, open_page

FIELDS = ("greeting", "context", "voice", "about-you")


def picture(color: str = "red", size: int = 8, form: str = "PNG") -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (size, size), color).save(content, form)
    return content.getvalue()


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def content_of(path: Path) -> bytes:
    return path.read_bytes()


class Tab:
    """The form as one browser sees it."""

    def __init__(self, page: Page, store: FormStore) -> None:
        with gr.Blocks():
            self.parts = form_parts(store, can_save=True)
        self.form = Form(page, store, self.parts)
        self.store = store
        self.seen = Seen()

    @property
    def entered(self) -> tuple[Any, ...]:
        return tuple(self.seen.values.get(each) for each in self.parts.entered)

    async def open(self) -> None:
        self.seen.show(await self.form.opened())

    async def choose(self, file: str) -> None:
        self.seen.show(await self.form.chosen(file))

    async def save(self) -> None:
        self.seen.show(await self.form.save(*self.entered))

    async def save_as(self, file: str) -> None:
        self.seen.show(await self.form.save_as(file, *self.entered))

    async def delete(self) -> None:
        self.seen.show(await self.form.delete(self.chosen, self.seen.values[self.parts.source]))

    async def undo(self) -> None:
        self.seen.show(await self.form.undo(self.seen.values.get(self.parts.removed)))

    @property
    def chosen(self) -> str | None:
        chosen: str | None = self.seen.values[self.parts.menu]
        return chosen

    def write(self, name: str, *texts: str, **more: Any) -> None:
        """`texts` are those of `FIELDS`, all other fields are left as they are."""
        self.seen.values[self.parts.name] = name
        written = dict(zip(FIELDS, texts, strict=False)) | more
        named = dict(zip((field.name for field in self.store.fields), self.parts.texts, strict=True))
        self.seen.values |= {named[field]: text for field, text in written.items() if field in named}

    @property
    def texts(self) -> tuple[Any, ...]:
        """File, name, and the texts of `FIELDS`."""
        named = dict(zip((field.name for field in self.store.fields), self.entered[4:], strict=True))
        return (self.entered[0], self.entered[3], *(named[field] for field in FIELDS if field in named))

    def put_picture(self, path: Path | None) -> None:
        self.seen.values[self.parts.picture] = None if path is None else str(path)


@pytest_asyncio.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with open_page(tmp_path) as opened:
        opened.runtime.library.characters.save("Ann", Character("Ann Li", "She sails.", "Ahoy!", "Mate"))
        yield opened


@pytest_asyncio.fixture
async def tab(page: Page) -> Tab:
    return Tab(page, CharacterStore(page.runtime.library.characters))


async def test_what_is_saved_is_what_is_read(page: Page, tab: Tab) -> None:
    await tab.choose("Ann")
    assert tab.texts == ("Ann", "Ann Li", "Ahoy!", "She sails.", "")
    tab.write(" Ann ", " Hello! ", "She flies.\n", " af_heart ")
    await tab.save()
    assert page.runtime.library.characters.read("Ann") == Character(
        "Ann", "She flies.", "Hello!", "Mate", voice="af_heart"
    )
    assert tab.texts == ("Ann", "Ann", "Hello!", "She flies.", "af_heart")


async def test_a_copy_leaves_the_original(page: Page, tab: Tab) -> None:
    await tab.choose("Ann")
    tab.write("Bea", "Hi.", "")
    await tab.save_as("Bea")
    assert tab.chosen == "Bea"
    assert page.runtime.library.characters.read("Ann").name == "Ann Li"
    assert page.runtime.library.characters.read("Bea").greeting == "Hi."


async def test_file_whose_texts_are_not_shown_yet_is_left_alone(page: Page, tab: Tab) -> None:
    page.runtime.library.characters.save("Bea", Character("Bea", "", "", ""))
    await tab.choose("Ann")
    # The browser has another one chosen, and the answer that fills the form is still on its way.
    tab.seen.values[tab.parts.menu] = "Bea"
    with pytest.raises(gr.Error, match="Bea was not shown yet, so nothing was saved"):
        await tab.save()
    with pytest.raises(gr.Error, match="Bea was not shown yet, so nothing was deleted"):
        await tab.delete()
    assert page.runtime.library.characters.read("Bea").name == "Bea"
    await tab.choose("Bea")
    await tab.save()


@pytest.mark.parametrize("file", ["ann", " Ann ", "", "  "])
async def test_a_copy_overwrites_nobody(page: Page, tab: Tab, file: str) -> None:
    await tab.choose("Ann")
    tab.write("Bea", "", "")
    with pytest.raises(gr.Error):
        await tab.save_as(file)
    assert page.runtime.library.characters.names() == ["Ann"]
    assert page.runtime.library.characters.read("Ann").name == "Ann Li"


async def test_a_character_needs_a_name(tab: Tab) -> None:
    await tab.choose("Ann")
    tab.write("  ", "", "")
    with pytest.raises(gr.Error, match="a name"):
        await tab.save()


@pytest.mark.parametrize(
    ("name", "file"),
    [("Bea", "Bea"), (" Ann ", "Ann 2"), ("../A/B: C?", "A B C"), ("<>", "Character"), ("Zoë 2", "Zoë 2")],
)
async def test_a_new_character_is_saved_under_its_name(page: Page, tab: Tab, name: str, file: str) -> None:
    tab.seen.show(await tab.form.blank())
    assert tab.texts == (None, "", "", "", "")
    tab.write(name, "Hi.", "")
    await tab.save()
    assert tab.chosen == file
    assert page.runtime.library.characters.read(file) == Character(name.strip(), "", "Hi.", None)
    assert page.runtime.library.characters.read("Ann").name == "Ann Li"
    tab.write(name, "Hi again.", "")
    await tab.save()
    assert tab.chosen == file
    assert set(page.runtime.library.characters.names()) == {"Ann", file}


async def test_what_is_deleted_can_be_brought_back(page: Page, tab: Tab, tmp_path: Path) -> None:
    library = page.runtime.library.characters
    library.save("Ann", library.read("Ann"), picture=picture())
    before = library.read("Ann")
    await tab.choose("Ann")
    await tab.delete()
    assert library.names() == []
    assert list((tmp_path / "characters").glob("Ann*")) == []
    assert tab.seen.properties[tab.parts.undo]["visible"]
    await tab.undo()
    assert library.read("Ann") == before
    assert before.picture is not None
    assert before.picture.read_bytes() == picture()
    assert tab.chosen == "Ann"
    with pytest.raises(gr.Error, match="nothing"):
        await tab.undo()


async def test_bringing_back_overwrites_nobody(page: Page, tab: Tab) -> None:
    await tab.choose("Ann")
    await tab.delete()
    page.runtime.library.characters.save("Ann", Character("another"))
    with pytest.raises(gr.Error, match="again"):
        await tab.undo()
    assert page.runtime.library.characters.read("Ann").name == "another"


async def test_pictures_come_stay_and_go(page: Page, tab: Tab, tmp_path: Path) -> None:
    library = page.runtime.library.characters
    uploaded = tmp_path / "uploaded.webp"
    uploaded.write_bytes(picture("blue", 2000, "WEBP"))
    await tab.choose("Ann")
    tab.put_picture(uploaded)
    await tab.save()
    taken = library.read("Ann").picture
    assert taken is not None
    with Image.open(taken) as opened:
        assert (opened.format, max(opened.size)) == ("PNG", 1536)
    # The form shows a copy outside of the user's folder; saving it again changes nothing.
    shown = Path(str(tab.seen.values[tab.parts.picture]))
    assert not shown.is_relative_to(tmp_path / "characters")
    assert content_of(shown) == content_of(taken)
    stamp = taken.stat().st_mtime_ns
    await tab.save()
    assert taken.stat().st_mtime_ns == stamp
    await tab.save_as("Bea")
    copied = library.read("Bea").picture
    assert copied is not None
    assert content_of(copied) == content_of(taken)
    await tab.choose("Ann")
    tab.put_picture(None)
    await tab.save()
    assert library.read("Ann").picture is None
    assert library.read("Bea").picture is not None


async def test_what_is_no_picture_changes_nothing(page: Page, tab: Tab, tmp_path: Path) -> None:
    uploaded = tmp_path / "picture.png"
    uploaded.write_text("<svg onload=alert(1)>")
    await tab.choose("Ann")
    tab.write("Changed", "", "")
    tab.put_picture(uploaded)
    with pytest.raises(gr.Error):
        await tab.save()
    assert page.runtime.library.characters.read("Ann").name == "Ann Li"


async def test_names_that_no_menu_offers_reach_no_file(page: Page, tab: Tab, tmp_path: Path) -> None:
    before, empty = files_of(tmp_path), tuple(map(empty_value, tab.store.fields))
    for file in filter(None, HOSTILE):
        for attempt in (
            tab.form.chosen(file),
            tab.form.delete(file, file),
            tab.form.save(file, file, None, "X", *empty),
            tab.form.save_as(f"{file}.", None, "", None, "X", *empty),
        ):
            with pytest.raises(gr.Error):
                await attempt
    assert files_of(tmp_path) == before


async def test_visitors_who_are_kept_apart_change_nothing(tmp_path: Path) -> None:
    async with open_page(tmp_path, multi_user=True) as page:
        library = page.runtime.library
        library.characters.save("Ann", Character("Ann Li"))
        for store in (CharacterStore(library.characters), UserStore(library.users)):
            tab = Tab(page, store)
            await tab.open()
            removed = store.delete(store.names()[0]) if store.names() else None
            if removed is not None:
                store.restore(removed)
            for attempt in (tab.save(), tab.save_as("New"), tab.delete(), tab.form.undo(removed)):
                with pytest.raises(gr.Error, match="--multi-user"):
                    await attempt
        assert (library.characters.names(), library.users.names()) == (["Ann"], [])


async def test_profiles_are_written_the_same_way(page: Page) -> None:
    tab = Tab(page, UserStore(page.runtime.library.users))
    await tab.open()
    assert tab.texts == ("Default", "You", "")
    tab.write("Kim", **{"about-you": "Likes tea."})
    await tab.save()
    user = page.runtime.library.users.read("Default")
    assert (user.name, user.bio) == ("Kim", "Likes tea.")
    await tab.delete()
    await tab.undo()
    assert page.runtime.library.users.read("Default") == user


async def test_the_page_opens_with_the_character_of_the_chats(tmp_path: Path) -> None:
    async with open_page(tmp_path, character="Bea") as page:
        tab = Tab(page, CharacterStore(page.runtime.library.characters))
        await tab.open()
        assert tab.entered[:1] == (None,)
        page.runtime.library.characters.save("Ann", Character("Ann Li"))
        page.runtime.library.characters.save("Bea", Character("Bea Ek"))
        await tab.open()
        assert tab.chosen == "Bea"
        assert tab.seen.properties[tab.parts.menu]["choices"] == ["Ann", "Bea"]


async def test_coming_back_to_the_form_leaves_what_was_written(page: Page, tab: Tab) -> None:
    page.runtime.library.characters.save("Assistant", Character("AI"))
    tab.seen.show(await tab.form.entered(None, ""))
    assert tab.chosen == "Assistant"
    tab.seen.show(await tab.form.blank())
    tab.write("Half written", "", "")
    page.runtime.library.characters.save("Bea", Character("Bea Ek"))
    tab.seen.show(await tab.form.entered(None, "Half written"))
    assert tab.texts == (None, "Half written", "", "", "")
    assert tab.seen.properties[tab.parts.menu]["choices"] == ["Ann", "Assistant", "Bea"]


CARD = Character(
    "Ada",
    "A mathematician.",
    "Good day.",
    alternate_greetings=("One.\n\nTwo.", "Three."),
    tags=("old", "friends"),
    more={"extensions": {"chub": 5}},
    book=read_book({"entries": [{"keys": ["a, b", "c"], "content": "@@depth 1\nD", "x": 1}], "y": 2}, "a"),
)


async def test_a_whole_card_is_shown_and_what_is_not_stays(page: Page, tab: Tab) -> None:
    library = page.runtime.library.characters
    library.save("Ada", CARD)
    await tab.choose("Ada")
    await tab.save()
    assert library.read("Ada") == CARD
    named = dict(zip((field.name for field in tab.store.fields), tab.entered[4:], strict=True))
    assert named["alternate_greetings"] == "One.\n\nTwo.\n---\nThree."
    assert named["tags"] == "old, friends"
    (row,) = named["book"]
    assert row == [True, "", "a, b, c", "@@depth 1\nD", False, 100, 0]
    new = [True, "New", "x, y", "Z", "true", "7", None]
    tab.write(
        "Ada", alternate_greetings="Three.\n---\n\n---\nFour.", tags="a, b,, a", book=[[*row[:3], "E", *row[4:]], new]
    )
    await tab.save()
    found = library.read("Ada")
    assert (found.alternate_greetings, found.tags, found.more) == (("Three.", "Four."), ("a", "b"), CARD.more)
    assert found.book is not None
    first, second = cast(list[dict[str, Any]], found.book.raw["entries"])
    assert (first["keys"], first["content"], first["x"], found.book.raw["y"]) == (["a, b", "c"], "E", 1, 2)
    assert (second["keys"], second["name"], second["insertion_order"], second["constant"]) == (
        ["x", "y"],
        "New",
        7,
        True,
    )
    tab.write("Ada", book=[[True, "", "", "", False, 1, 0]])
    await tab.save()
    assert library.read("Ada").book is None


async def test_a_copy_has_what_the_form_does_not_show(page: Page, tab: Tab) -> None:
    page.runtime.library.characters.save("Ada", CARD)
    await tab.choose("Ada")
    await tab.save_as("Bea")
    assert page.runtime.library.characters.read("Bea") == CARD
