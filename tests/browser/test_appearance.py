"""What the page looks like: texts can be read, and things stand apart from each other."""

from typing import Final

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.contrast import faint, measured
from tests.browser.sites import Site
from tests.browser.visits import visiting

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

TABS: Final = ("Chat", "Notebook", "Parameters", "Character", "Model", "Session")
_CLOSED: Final = "button.label-wrap:not(.open)"
_LEAST_GAP: Final = 8


@pytest.mark.parametrize("look", ["dark", "light"])
async def test_text_fields_can_be_read(browser: Browser, scripted: Site, look: str) -> None:
    async with visiting(browser, scripted.url) as page:
        chat = ChatPage(page)
        await expect(chat.chosen).to_have_count(1)
        await page.evaluate("look => window.wearLook(look)", look)
        found = []
        for tab in TABS:
            await chat.go_to(tab)
            await _open_all(page)
            found += await measured(page)
        assert len(found) > 100
        assert faint(found) == []


async def test_tabs_stand_apart(chat: ChatPage) -> None:
    tabs = chat.page.get_by_role("tab").filter(visible=True)
    assert await tabs.count() >= len(TABS)
    padding = "tab => parseFloat(getComputedStyle(tab).paddingLeft)"
    assert all([await tab.evaluate(padding) > _LEAST_GAP for tab in await tabs.all()])


async def _open_all(page: Page) -> None:
    """Everything that is folded on the tab that is shown."""
    folded = page.locator(_CLOSED).filter(visible=True)
    while await folded.count():
        await folded.first.click()
