"""The Session tab: the API from its switch to a pasted example, and a start again that the page survives."""

import asyncio
import re
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.visits import visiting
from tests.live.server import LiveServer, launch

pytestmark = [pytest.mark.browser, pytest.mark.extended, pytest.mark.asyncio(loop_scope="session")]

RESTART_MS = 60_000


@pytest_asyncio.fixture(loop_scope="session")
async def server(tmp_path: Path) -> AsyncIterator[LiveServer]:
    """On a port that it has again after a restart, and without --api."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    running = launch(tmp_path, "--no-api", "--loader", "scripted", "--listen-port", port)
    try:
        await running.until(lambda: "Web UI: " in running.log)
        yield running
        await running.stop()
    finally:
        running.kill()


@pytest_asyncio.fixture(loop_scope="session")
async def tab(browser: Browser, server: LiveServer) -> AsyncIterator[Page]:
    url = server.log.partition("Web UI: ")[2].split()[0]
    async with visiting(browser, url, permissions=["clipboard-read", "clipboard-write"]) as page:
        await ChatPage(page).go_to("API")
        yield page


def shell(script: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)


async def test_an_example_runs_as_it_is_pasted(tab: Page) -> None:
    await tab.click("#start-openai")
    await expect(tab.locator("#service-openai textarea, #service-openai input")).to_have_value("Running")
    await tab.get_by_label("curl, streaming").check()
    await expect(tab.locator("#api-code")).to_contain_text("curl -N")
    await tab.locator("#api-code").get_by_role("button", name="Copy").first.click()
    done = await asyncio.to_thread(shell, await tab.evaluate("navigator.clipboard.readText()"))
    assert (done.returncode, done.stdout[-14:]) == (0, "data: [DONE]\n\n")
    await expect(tab.locator("#live-requests textarea, #live-requests input")).to_have_value(re.compile("1 reply"))


async def test_the_page_comes_back_after_a_start_again(tab: Page, server: LiveServer, tmp_path: Path) -> None:
    await ChatPage(tab).go_to("Extensions")
    await tab.locator("#extensions").get_by_label("openai").check()
    await tab.evaluate("window.isOld = true")
    await tab.click("#extensions-restart")
    await expect(tab.locator(".restart-notice")).to_be_visible()
    await tab.wait_for_function("!window.isOld", timeout=RESTART_MS)
    await ChatPage(tab).go_to("API")
    await expect(tab.locator("#service-openai textarea, #service-openai input")).to_have_value("Running")
    assert "default_extensions:\n- openai" in (tmp_path / "settings.yaml").read_text("utf-8")


async def test_the_look_is_the_systems_until_one_is_chosen(tab: Page) -> None:
    body = tab.locator("body.dark")
    await tab.emulate_media(color_scheme="dark")
    await expect(body).to_have_count(1)
    await tab.emulate_media(color_scheme="light")
    await expect(body).to_have_count(0)
    await ChatPage(tab).go_to("General")
    await tab.locator("#look").get_by_text("Dark", exact=True).click()
    await expect(body).to_have_count(1)
    await tab.reload()
    await expect(tab.locator("#box textarea")).to_be_visible()
    await expect(body).to_have_count(1)
    await ChatPage(tab).go_to("General")
    await expect(tab.locator("#look input[value=dark]")).to_be_checked()
    await tab.locator("#look").get_by_text("System", exact=True).click()
    await expect(body).to_have_count(0)
