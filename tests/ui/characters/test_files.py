"""Characters leave as YAML and as cards, and come in as whatever other programs write."""

from pathlib import Path

import gradio as gr
import pytest

from modules.library.characters.character import Character
from modules.ui.characters.files import CharacterFiles
from modules.ui.page.page import Page
from tests.ui.characters.test_form import content_of, picture
from tests.ui.open_page import open_page

ANN = Character("Ann “Storm” Li", "She sails.\n{{user}} listens.", "Ahoy, {{user}}!")


def same(character: Character) -> tuple[str, str, str]:
    return character.name, character.context, character.greeting


def brought(page: Page, path: Path) -> str:
    return page.runtime.library.characters.import_file(path.name, path.read_bytes())


async def saved(page: Page, folder: Path) -> CharacterFiles:
    page.runtime.library.characters.save("Ann", ANN, picture=picture())
    return CharacterFiles(page, str(folder / "served"))


@pytest.mark.parametrize("way", ["as_yaml", "as_card"])
async def test_what_leaves_can_come_back(tmp_path: Path, way: str) -> None:
    async with open_page(tmp_path) as page:
        files = await saved(page, tmp_path)
        path = Path(await getattr(files, way)("Ann"))
        assert path.name == {"as_yaml": "Ann.yaml", "as_card": "Ann.png"}[way]
        name = brought(page, path)
        assert name != "Ann"
        assert same(page.runtime.library.characters.read(name)) == same(ANN)


async def test_a_card_carries_nothing_that_its_picture_carried(tmp_path: Path) -> None:
    """A character that came as a card has the old texts in its picture still."""
    async with open_page(tmp_path) as page:
        files = await saved(page, tmp_path)
        library = page.runtime.library.characters
        name = brought(page, Path(await files.as_card("Ann")))
        library.save(name, Character("Bea", "She flies.", "Hi."))
        again = brought(page, Path(await files.as_card(name)))
        assert same(library.read(again)) == ("Bea", "She flies.", "Hi.")


async def test_a_card_of_a_photograph_is_a_png(tmp_path: Path) -> None:
    async with open_page(tmp_path) as page:
        files = await saved(page, tmp_path)
        page.runtime.library.characters.save("Ann", ANN, picture=picture(form="JPEG"))
        assert content_of(Path(await files.as_card("Ann"))).startswith(b"\x89PNG")


async def test_a_card_needs_a_picture(tmp_path: Path) -> None:
    async with open_page(tmp_path) as page:
        page.runtime.library.characters.save("Ann", ANN)
        with pytest.raises(gr.Error, match="picture"):
            await CharacterFiles(page, str(tmp_path / "served")).as_card("Ann")


@pytest.mark.parametrize("file", [None, "", "../secret", "Nobody"])
async def test_only_characters_leave(tmp_path: Path, file: str | None) -> None:
    (tmp_path / "secret.yaml").write_text("name: secret")
    async with open_page(tmp_path) as page:
        files = CharacterFiles(page, str(tmp_path / "served"))
        for way in (files.as_yaml, files.as_card):
            with pytest.raises(gr.Error):
                await way(file)
    assert not (tmp_path / "served").exists()
