"""A browser that visits the page, and everything it asks for on the way, which may be nothing but this machine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, Request, ViewportSize

TIMEOUT_MS: Final = 30_000
DESKTOP: Final[ViewportSize] = {"width": 1280, "height": 800}
PHONE: Final[ViewportSize] = {"width": 390, "height": 844}
_OWN_SCHEMES: Final = frozenset({"data", "blob", "about"})
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass
class Watch:
    """What a browser did during its visit. What the page's content policy refused has not left the browser."""

    requests: list[Request] = field(default_factory=list)
    sockets: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def begin(self, context: BrowserContext) -> None:
        context.on("request", self._ask)
        context.on("weberror", lambda failure: self.errors.append(str(failure.error)))
        context.on("page", lambda page: page.on("websocket", lambda socket: self.sockets.append(socket.url)))

    def _ask(self, request: Request) -> None:
        self.requests.append(request)

    def check(self) -> None:
        """No request left the machine, and no script of the page broke down."""
        assert not self.strangers, f"requests left the machine: {self.strangers}"
        assert not self.errors, f"scripts of the page broke down: {self.errors}"

    @property
    def strangers(self) -> list[str]:
        """Addresses other than this machine's that were asked."""
        asked = [request.url for request in self.requests if "csp" not in (request.failure or "").lower()]
        return [url for url in (*asked, *self.sockets) if not is_own(url)]


def is_own(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in _OWN_SCHEMES or parts.hostname in _LOOPBACK


@asynccontextmanager
async def watched(browser: Browser, url: str, **options: Any) -> AsyncIterator[tuple[BrowserContext, Watch]]:
    """A browser that remembers nothing from before. Fails at the end for what `Watch.check` tells."""
    watch = Watch()
    context = await browser.new_context(**{"viewport": DESKTOP, "base_url": url, **options})
    context.set_default_timeout(TIMEOUT_MS)
    watch.begin(context)
    try:
        yield context, watch
    finally:
        await context.close()
    watch.check()


@asynccontextmanager
async def visiting(browser: Browser, url: str, **options: Any) -> AsyncIterator[Page]:
    """The page in the first tab of such a browser."""
    async with watched(browser, url, **options) as (context, _):
        page = await context.new_page()
        await page.goto("/")
        yield page
