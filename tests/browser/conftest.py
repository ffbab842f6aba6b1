"""One browser and one server of each kind for all tests of the page; every test visits with a browser that is new."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.chat_page import ChatPage
from tests.browser.chromium import chromium
from tests.browser.sites import Site, real_site, scripted_site
from tests.browser.visits import Watch, watched
from tests.workers import take_all_cores, take_own_core


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """For the tests of this folder only."""
    take_all_cores()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    take_own_core()


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


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def visitor(browser: Browser, scripted: Site) -> AsyncIterator[tuple[ChatPage, Watch]]:
    """Somebody who has the page with the scripted model open."""
    async with watched(browser, scripted.url) as (context, watch):
        page = ChatPage(await context.new_page())
        await page.arrive()
        yield page, watch


@pytest_asyncio.fixture(loop_scope="session")
async def chat(visitor: tuple[ChatPage, Watch]) -> AsyncIterator[ChatPage]:
    """A new chat in that visitor's tab, which is opened again when the last test has left something in it."""
    page, watch = visitor
    if not await page.is_tidy():
        await page.arrive()
    await page.new()
    yield page
    watch.check()
