"""Chats and notebooks say which model they were with, and load it when they are told to."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site, scripted_site
from tests.browser.visits import visiting

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("remembering")
    (folder / "models").mkdir()
    (folder / "models" / "a.gguf").touch()
    async with scripted_site(folder) as running:
        yield running


async def _load(site: Site, name: str) -> None:
    async with site.server.client() as http:
        (await http.post("/v1/internal/model/load", json={"model_name": name})).raise_for_status()


@pytest.mark.extended
async def test_chat_and_notebook_offer_the_model_they_were_with(browser: Browser, site: Site) -> None:
    await _load(site, "a.gguf")
    async with visiting(browser, site.url) as page:
        chat = ChatPage(page)
        await chat.arrive()
        note, button = page.locator("#chat-model-note"), page.locator("#chat-model-load")
        await chat.new()
        await chat.say("echo: With the first one")
        await expect(note).to_be_hidden()
        await chat.go_to("Notebook")
        await page.locator("#notebook-text textarea").fill("echo: Once")
        await page.click("#generate")
        await expect(page.locator("#notebook-text textarea")).to_have_value("echo: OnceOnce")
        await expect(page.locator("#generate")).to_be_visible()
        await _load(site, "scripted")
        await page.reload()
        await expect(note).to_contain_text("was with a.gguf; scripted is loaded")
        await chat.go_to("Notebook")
        await expect(page.locator("#notebook-model-note")).to_contain_text("was with a.gguf; scripted is loaded")
        await chat.go_to("Chat")
        await button.click()
        await expect(note).to_be_hidden()
        async with site.server.client() as http:
            assert (await http.get("/v1/internal/model/info")).json()["model_name"] == "a.gguf"
        await _load(site, "scripted")
