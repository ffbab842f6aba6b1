"""What a task costs its user: presses with the mouse or a finger, counted by the browser itself; keys do not count."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from playwright.async_api import BrowserContext, Page

_COUNT: Final = """window.pressed = 0;
addEventListener('pointerdown', (event) => { if (event.isTrusted) window.pressed += 1; }, true);"""


async def count_clicks(context: BrowserContext) -> None:
    """To be called before a page is opened."""
    await context.add_init_script(_COUNT)


@asynccontextmanager
async def at_most(page: Page, clicks: int, task: str) -> AsyncIterator[None]:
    """Fails where more are pressed within it."""
    before = int(await page.evaluate("window.pressed"))
    yield
    pressed = int(await page.evaluate("window.pressed")) - before
    assert pressed <= clicks, f"{task}: {pressed} clicks instead of {clicks}"
