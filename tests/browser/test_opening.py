"""What a browser asks for until the page can be used."""

import re
from typing import Final

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site
from tests.browser.visits import Watch, watched

# Documents, sheets, scripts, and what the page's own events ask for.
_MOST_REQUESTS: Final = 40
_IDLE_MS: Final = 2500
_HIDE: Final = """isHidden => {
  Object.defineProperty(document, "hidden", { configurable: true, get: () => isHidden });
  document.dispatchEvent(new Event("visibilitychange"));
}"""

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_style_sheets_are_not_asked_for_one_by_one(browser: Browser, scripted: Site) -> None:
    async with watched(browser, scripted.url) as (context, watch):
        await ChatPage(await context.new_page()).arrive()
        asked = {request.url.rsplit("/", 1)[-1] for request in watch.requests if request.resource_type == "stylesheet"}
    left = {name for name in asked if not name.startswith(("together-", "index-", "theme.css"))}
    assert not left, f"to be put into modules/ui/assets/gradio_sheets.txt: {sorted(left)}"
    assert any(name.startswith("together-") for name in asked)


async def test_few_things_are_asked_for(browser: Browser, scripted: Site) -> None:
    async with watched(browser, scripted.url) as (context, watch):
        page = await context.new_page()
        await ChatPage(page).arrive()
        asked = [request.url for request in watch.requests if request.url.startswith("http")]
    scripts = {url.rsplit("/", 1)[-1] for url in asked if re.search(r"/assets/[\w.-]+\.js", url)}
    left = {name for name in scripts if not name.startswith(("config-", "scripts-", "language-"))}
    assert not left, f"to be put into modules/ui/assets/gradio_scripts.txt: {sorted(left)}"
    assert len(asked) <= _MOST_REQUESTS


async def test_tabs_share_one_connection_and_ask_for_nothing(browser: Browser, scripted: Site) -> None:
    async with watched(browser, scripted.url) as (context, watch):
        first, second = [ChatPage(await context.new_page()) for _ in range(2)]
        for tab in (first, second):
            await tab.arrive()
        await second.new()
        await second.say("echo: told to both")
        await expect(first.chats.first).to_contain_text("told to both")
        assert len(_streams(watch)) == 1
        # The tokens of the chat are counted when it has rested for a moment.
        await second.page.wait_for_function("performance.now() - window.answers.heardAt > 2000")
        before = len(watch.requests)
        # That nothing happens can only be waited for.
        await first.page.wait_for_timeout(_IDLE_MS)
        assert [request.url for request in watch.requests[before:]] == []

        # The other one listens now; who comes back hears of what was missed.
        await first.page.evaluate(_HIDE, True)
        await second.say("echo: not told to one")
        await second.new()
        await second.say("echo: missed")
        await expect(second.chats.first).to_contain_text("missed")
        await expect(first.chats.first).to_contain_text("told to both")
        await first.page.evaluate(_HIDE, False)
        await expect(first.chats.first).to_contain_text("missed")
        # None that is hidden listens.
        for tab in (first, second):
            await tab.page.evaluate(_HIDE, True)
        assert await first.page.evaluate("Object.keys(localStorage).filter(each => each.startsWith('news'))") == []


def _streams(watch: Watch) -> list[str]:
    return [request.url for request in watch.requests if request.resource_type == "eventsource"]
