"""Characters on the page: written, copied, spoken with, given away, deleted and brought back."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, FilePayload, Locator, Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site, scripted_site
from tests.browser.visits import visiting
from tests.library.test_character_cards import charx, commented, picture

pytestmark = [pytest.mark.browser, pytest.mark.extended, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with scripted_site(tmp_path_factory.mktemp("characters")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def tab(browser: Browser, site: Site) -> AsyncIterator[Page]:
    async with visiting(browser, site.url) as page:
        await open_tab(page, "Character")
        yield page


async def open_tab(page: Page, name: str) -> None:
    await ChatPage(page).go_to(name)
    if name == "Character":
        await page.get_by_role("tab", name="Greetings").click()


def field(page: Page, name: str) -> Locator:
    return page.locator(f"#{name} textarea, #{name} input").first


async def choose(page: Page, menu: str, name: str) -> None:
    await field(page, menu).click()
    await page.get_by_role("option", name=name, exact=True).click()


async def copy_example(page: Page, name: str, greeting: str) -> None:
    await choose(page, "character-menu", "Example")
    await expect(field(page, "character-greeting")).to_have_value(re.compile("repair corner"))
    await field(page, "character-name").fill(name)
    await field(page, "character-greeting").fill(greeting)
    await page.click("#character-save-as")
    await field(page, "character-file").fill(name)
    await field(page, "character-file").press("Enter")
    await expect(field(page, "character-menu")).to_have_value(name)


async def test_the_chat_speaks_with_who_was_saved(tab: Page, site: Site) -> None:
    await copy_example(tab, "Berta", "Welcome aboard!")
    await open_tab(tab, "Chat")
    await tab.locator("#mode").get_by_label("Character", exact=True).check()
    await choose(tab, "character", "Berta")
    chat = ChatPage(tab)
    await expect(chat.replies).to_have_text(["Welcome aboard!"])
    picture = tab.locator("#chat .avatar-container img").first
    await expect(picture).to_have_attribute("src", re.compile("^data:image/jpeg"))
    await open_tab(tab, "Character")
    await field(tab, "character-greeting").fill("Something else.")
    await tab.click("#character-save")
    saved = site.data / "characters" / "Berta.yaml"
    await site.server.until(lambda: "Something else." in saved.read_text("utf-8"))
    await open_tab(tab, "Chat")
    await expect(chat.replies).to_have_text(["Welcome aboard!"])


async def test_deleting_asks_first_and_can_be_undone(tab: Page, site: Site) -> None:
    await copy_example(tab, "Cora", "Hm?")
    file = site.data / "characters" / "Cora.yaml"
    await tab.click("#character-delete")
    await tab.click("#character-keep")
    await expect(tab.locator("#character-confirm")).to_be_hidden()
    await tab.click("#character-delete")
    await tab.click("#character-confirm")
    await expect(field(tab, "character-menu")).not_to_have_value("Cora")
    assert not file.exists()
    await tab.click("#character-undo")
    await expect(field(tab, "character-menu")).to_have_value("Cora")
    assert file.exists()


async def test_a_card_leaves_and_comes_back(tab: Page, site: Site, tmp_path: Path) -> None:
    await choose(tab, "character-menu", "Example")
    await expect(field(tab, "character-name")).to_have_value("Chiharu Yamada")
    async with tab.expect_download() as leaving:
        await tab.click("#character-card")
    card = tmp_path / (await leaving.value).suggested_filename
    assert card.name == "Example.png"
    await (await leaving.value).save_as(card)
    async with tab.expect_file_chooser() as choosing:
        await tab.click("#character-upload")
    await (await choosing.value).set_files(card)
    await expect(field(tab, "character-menu")).to_have_value("Chiharu Yamada")
    await tab.get_by_role("dialog").get_by_role("button", name="Close", exact=True).first.click()
    assert (site.data / "characters" / "Chiharu Yamada.png").is_file()


@pytest.mark.parametrize("suffix", ["charx", "jpeg", "webp"])
async def test_other_programs_cards_come_in(tab: Page, site: Site, suffix: str) -> None:
    name = f"Zora {suffix}"
    card = {"spec": "chara_card_v3", "data": {"name": name, "first_mes": "Good day."}}
    content = {
        "charx": lambda: charx(card),
        "jpeg": lambda: picture("JPEG") + charx(card),
        "webp": lambda: commented("WEBP", json.dumps(card).encode()),
    }[suffix]()
    async with tab.expect_file_chooser() as choosing:
        await tab.click("#character-upload")
    upload: FilePayload = {"name": f"card.{suffix}", "mimeType": "application/octet-stream", "buffer": content}
    await (await choosing.value).set_files(upload)
    await expect(field(tab, "character-menu")).to_have_value(name)
    await expect(field(tab, "character-greeting")).to_have_value("Good day.")
    assert (site.data / "characters" / f"{name}.yaml").is_file()
