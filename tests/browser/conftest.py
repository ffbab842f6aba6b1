"""One browser for all tests of the page, and servers that no two files share; see `site_keeper.py`."""

from collections.abc import AsyncIterator, Generator

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.chat_page import ChatPage
from tests.browser.chromium import chromium
from tests.browser.site_keeper import HAS_FAILED, SiteKeeper
from tests.browser.sites import Site, real_site, scripted_site
from tests.workers import take_all_cores, take_own_core


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """For the tests of this folder only."""
    take_all_cores()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    take_own_core()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    item.stash[HAS_FAILED] = item.stash.get(HAS_FAILED, False) or report.failed
    return report


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def scripted_sites(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SiteKeeper]:
    keeper = SiteKeeper(lambda: scripted_site(tmp_path_factory.mktemp("scripted")), browser)
    yield keeper
    await keeper.aclose()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def real_sites(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SiteKeeper]:
    keeper = SiteKeeper(lambda: real_site(tmp_path_factory.mktemp("real"), max_new_tokens=400), browser)
    yield keeper
    await keeper.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def scripted(scripted_sites: SiteKeeper, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """A site with the scripted model, and with one chat from an earlier day when its first test begins."""
    yield await scripted_sites.site(request.path.name)
    if request.node.stash.get(HAS_FAILED, False):
        await scripted_sites.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def real(real_sites: SiteKeeper, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """A site with a real model, and without chats when its first test begins."""
    yield await real_sites.site(request.path.name)
    if request.node.stash.get(HAS_FAILED, False):
        await real_sites.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def chat(scripted: Site, scripted_sites: SiteKeeper, request: pytest.FixtureRequest) -> AsyncIterator[ChatPage]:
    """A new chat in a tab of that site, which is opened again when the last test has left something in it."""
    page, watch = await scripted_sites.visitor(request.path.name)
    if not await page.is_tidy():
        await page.arrive()
    await page.new()
    yield page
    watch.check()
