"""What a browser asks for until the page can be used."""

import re
from typing import Final

import pytest
from playwright.async_api import Browser

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site
from tests.browser.visits import watched

# Documents, sheets, scripts, and what the page's own events ask for.
_MOST_REQUESTS: Final = 40

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
