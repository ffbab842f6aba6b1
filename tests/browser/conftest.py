"""One browser for all tests of the page, and the servers that it visits; see `site_keeper.py`."""

from collections.abc import AsyncIterator, Generator
from functools import partial
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.chat_page import ChatPage
from tests.browser.chromium import chromium
from tests.browser.scenes import filled_site
from tests.browser.site_keeper import HAS_FAILED, SiteKeeper
from tests.browser.sites import Site, keep_no_chats, keep_only_earlier_chat, real_site, scripted_site
from tests.workers import take_all_cores, take_own_core

# Files that share a scripted site. Their tests change no settings, or change them back: of what they leave, only chats
# would be met by others.
_TIDY: Final = frozenset(
    (
        "appearance artifacts attachments card_drop chat code_blocks compare composer following keys late_answers messages "
        "model_picker opening overlay palette reload rendering token_view tools voice waiting_load"
    ).split()
)


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
async def shared_sites(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SiteKeeper]:
    folder = partial(tmp_path_factory.mktemp, "shared")
    keeper = SiteKeeper(lambda: scripted_site(folder()), browser, renew=keep_only_earlier_chat)
    yield keeper
    await keeper.aclose()


@pytest.fixture
def keeper(scripted_sites: SiteKeeper, shared_sites: SiteKeeper, request: pytest.FixtureRequest) -> SiteKeeper:
    return shared_sites if request.path.stem.removeprefix("test_") in _TIDY else scripted_sites


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def real_sites(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SiteKeeper]:
    folder = partial(tmp_path_factory.mktemp, "real")
    keeper = SiteKeeper(lambda: real_site(folder(), max_new_tokens=400), browser, renew=keep_no_chats)
    yield keeper
    await keeper.aclose()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def filled(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """A site whose chats are looked at and not added to."""
    async with filled_site(tmp_path_factory.mktemp("filled")) as site:
        yield site


@pytest_asyncio.fixture(loop_scope="session")
async def scripted(keeper: SiteKeeper, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """A site with the scripted model, and with one chat from an earlier day when its first test begins."""
    yield await keeper.site(request.path.name)
    if request.node.stash.get(HAS_FAILED, False):
        await keeper.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def real(real_sites: SiteKeeper, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """A site with a real model, and without chats when its first test begins."""
    yield await real_sites.site(request.path.name)
    if request.node.stash.get(HAS_FAILED, False):
        await real_sites.aclose()


@pytest_asyncio.fixture(loop_scope="session")
async def chat(scripted: Site, keeper: SiteKeeper, request: pytest.FixtureRequest) -> AsyncIterator[ChatPage]:
    """A new chat in a tab of that site, which is opened again when the last test has left something in it."""
    page, watch = await keeper.visitor(request.path.name)
    if not await page.is_tidy():
        await page.arrive()
    await page.new()
    yield page
    watch.check()
