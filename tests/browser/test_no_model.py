"""A page without a model: it says so where messages are written, and keeps the message until there is one."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site, scripted_site
from tests.browser.visits import PHONE, visiting

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with scripted_site(tmp_path_factory.mktemp("without")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def without(site: Site) -> Site:
    async with site.server.client() as http:
        (await http.post("/v1/internal/model/unload")).raise_for_status()
    return site


def _menu(page: Page) -> Locator:
    return page.locator("#composer").get_by_role("button", name="Choose a model")


@pytest.mark.parametrize("size", [pytest.param({"width": 1440, "height": 900}, marks=pytest.mark.extended), PHONE])
async def test_message_waits_for_the_model_that_is_chosen(browser: Browser, without: Site, size: ViewportSize) -> None:
    async with visiting(browser, without.url, viewport=size) as page:
        chat = ChatPage(page)
        await expect(_menu(page)).to_be_visible()
        before = without.chats()
        await page.locator("#new-chat").dispatch_event("click")
        await expect(chat.chosen).to_have_count(0)
        await chat.write("echo: At last")
        await expect(page.locator("#composer")).to_contain_text("Your message is sent when a model is loaded")
        await expect(chat.box).to_have_value("echo: At last")
        assert without.chats() == before
        await expect(chat.notices).to_have_count(0)
        await _menu(page).click()
        await page.locator(".picker-row", has_text="scripted").click()
        await expect(chat.replies).to_have_text("At last")
        await expect(chat.sent).to_have_count(1)
        await expect(chat.box).to_have_value("")
        await expect(_menu(page)).to_be_hidden()


async def test_message_waits_for_a_model_that_is_loaded_in_the_model_tab(browser: Browser, without: Site) -> None:
    async with visiting(browser, without.url) as page:
        chat = ChatPage(page)
        await expect(_menu(page)).to_be_visible()
        await chat.new()
        await chat.write("echo: Over there")
        await expect(chat.box).to_have_value("echo: Over there")
        await page.click("#to-models")
        await page.click("#load-model")
        await expect(chat.replies).to_have_text("Over there")


async def test_model_that_is_unloaded_is_missed(browser: Browser, site: Site) -> None:
    async with visiting(browser, site.url) as page:
        chat = ChatPage(page)
        await chat.go_to("Model")
        await expect(page.locator("#model-status")).to_contain_text("is loaded")
        await page.click("#unload-model")
        await expect(page.locator("#model-status")).to_contain_text("No model")
        await chat.go_to("Chat")
        await expect(_menu(page)).to_be_visible()
        await chat.until_open()
        await page.keyboard.press("Control+Enter")
        await expect(page.locator("#composer")).to_contain_text("No model is loaded")
        await expect(chat.notices).to_have_count(0)
