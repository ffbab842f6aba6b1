"""One browser and one server of each kind for all tests of the page; every test visits with a browser that is new."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.chat_page import ChatPage
from tests.browser.chromium import chromium
from tests.browser.sites import Site, real_site, scripted_site
from tests.browser.visits import visiting


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def scripted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with scripted_site(tmp_path_factory.mktemp("scripted")) as site:
        yield site


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def real(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with real_site(tmp_path_factory.mktemp("real"), max_new_tokens=400) as site:
        yield site


@pytest_asyncio.fixture(loop_scope="session")
async def chat(browser: Browser, scripted: Site) -> AsyncIterator[ChatPage]:
    """A new chat with the scripted model."""
    async with visiting(browser, scripted.url) as page:
        opened = ChatPage(page)
        await opened.new()
        yield opened
