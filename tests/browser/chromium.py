"""The system's Chromium, driven by Playwright, without what it would do over the network by itself."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest
from playwright.async_api import Browser, async_playwright

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Letters look alike on every machine.
    "--font-render-hinting=none",
    "--disable-lcd-text",
    "--force-color-profile=srgb",
)


@asynccontextmanager
async def chromium(*more_flags: str) -> AsyncIterator[Browser]:
    """Root may not start it with its sandbox."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    flags = [*_FLAGS, *more_flags, *(["--no-sandbox"] if is_root else [])]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_path(), args=flags)
        yield browser
        await browser.close()


def _path() -> str:
    """A browser that is missing is a failure that says what to install."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.fail("The tests of the page need Chromium. Install it: apt-get install chromium (Debian, Ubuntu).")
    return found
