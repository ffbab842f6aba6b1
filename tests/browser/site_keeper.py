"""Sites for the tests of the page: one for all tests of a file, or of several, and another one after a test that failed."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Final

import pytest
from playwright.async_api import Browser

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site
from tests.browser.visits import Watch, watched

HAS_FAILED: Final = pytest.StashKey[bool]()


class SiteKeeper:
    """`start` makes a site with a user data folder of its own. What tests of one file leave there, chats and remembered
    settings, no test of another file meets, and what a broken one leaves none at all. Where there is `renew`, which takes
    added chats away, files share a site: those whose tests leave everything else as it was."""

    def __init__(
        self,
        start: Callable[[], AbstractAsyncContextManager[Site]],
        browser: Browser,
        renew: Callable[[Site], None] | None = None,
    ) -> None:
        self._start = start
        self._browser = browser
        self._renew = renew
        self._visits = AsyncExitStack()
        self._opened = AsyncExitStack()
        self._owner = ""
        self._site: Site | None = None
        self._visitor: tuple[ChatPage, Watch] | None = None

    async def site(self, owner: str) -> Site:
        """That of the file `owner`."""
        if owner != self._owner:
            if self._renew is None or self._site is None:
                await self.aclose()
            else:
                await self._leave()
                self._renew(self._site)
            self._owner = owner
        if self._site is None:
            self._site = await self._opened.enter_async_context(self._start())
        return self._site

    async def visitor(self, owner: str) -> tuple[ChatPage, Watch]:
        """Somebody who has its page open."""
        site = await self.site(owner)
        if self._visitor is None:
            context, watch = await self._visits.enter_async_context(watched(self._browser, site.url))
            page = ChatPage(await context.new_page())
            await page.arrive()
            self._visitor = page, watch
        return self._visitor

    async def aclose(self) -> None:
        """Ends the site and the visit; the next test gets others."""
        opened, self._opened = self._opened, AsyncExitStack()
        self._site = None
        try:
            await self._leave()
        finally:
            await opened.aclose()

    async def _leave(self) -> None:
        visits, self._visits = self._visits, AsyncExitStack()
        self._visitor = None
        await visits.aclose()
