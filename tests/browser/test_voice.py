"""Dictation and calls, with a file in the place of the microphone."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from tests.browser.chat_page import ChatPage
from tests.browser.chromium import chromium
from tests.browser.sites import Site, scripted_site
from tests.browser.visits import visiting
from tests.sound_files import silence, tone, wav

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_RATE: Final = 48_000
# Heard again and again, for as long as the microphone is open.
_UTTERANCE: Final = silence(1.5, rate=_RATE) + tone(0.6, rate=_RATE) + silence(1.5, rate=_RATE)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hearing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Browser]:
    file = tmp_path_factory.mktemp("microphone") / "said.wav"
    file.write_bytes(wav(_UTTERANCE, rate=_RATE))
    flags = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    async with chromium(*flags, f"--use-file-for-fake-audio-capture={file}") as running:
        yield running


@asynccontextmanager
async def calling(browser: Browser, site: Site, **options: Any) -> AsyncIterator[ChatPage]:
    async with visiting(browser, site.url, permissions=["microphone"], **options) as page:
        chat = ChatPage(page)
        await expect(chat.chosen).to_have_count(1)
        await chat.new()
        yield chat


def line(chat: ChatPage) -> Locator:
    return chat.page.locator("#voice-line")


async def test_what_is_dictated_stands_in_the_box(hearing: Browser, scripted: Site) -> None:
    async with calling(hearing, scripted) as chat:
        await chat.box.fill("Before. After.")
        await chat.box.evaluate("box => box.setSelectionRange(7, 7)")
        await chat.page.click("#dictate")
        # A second may pass between two looks at the clock.
        await expect(line(chat)).to_contain_text(re.compile(r"Listening 0:0[3-9]"))
        await expect(chat.page.locator("#dictate")).to_have_attribute("aria-pressed", "true")
        await chat.page.click("#dictate")
        await expect(chat.box).to_have_value("Before. Sound 1. After.")
        await expect(line(chat)).to_have_count(0)
        await chat.box.press("Enter")
        await expect(chat.sent).to_contain_text("Before. Sound 1. After.")


async def test_a_picture_is_taken_with_the_camera(hearing: Browser, scripted: Site) -> None:
    async with visiting(hearing, scripted.url, permissions=["camera"]) as page:
        chat = ChatPage(page)
        await expect(chat.chosen).to_have_count(1)
        await chat.new()
        await page.click("#camera")
        await page.wait_for_function("document.querySelector('.camera-view')?.videoWidth > 0")
        await page.get_by_role("button", name="Take picture").click()
        await expect(page.locator("#box .thumbnail-item img")).to_have_count(1)
        await expect(page.locator(".camera-view")).to_have_count(0)
        await chat.say("what is it?")
        await expect(chat.replies).to_contain_text("[image ")


@pytest.mark.extended
async def test_a_dictation_that_is_given_up_leaves_the_box_alone(hearing: Browser, scripted: Site) -> None:
    async with calling(hearing, scripted) as chat:
        await chat.page.click("#dictate")
        await expect(line(chat)).to_contain_text(re.compile(r"Listening 0:0[1-9]"))
        await chat.page.keyboard.press("Escape")
        await expect(line(chat)).to_have_count(0)
        await expect(chat.page.locator("#dictate")).to_have_attribute("aria-pressed", "false")
        await expect(chat.box).to_have_value("")


@pytest.mark.extended
async def test_a_call_of_three_turns(hearing: Browser, scripted: Site) -> None:
    async with calling(hearing, scripted) as chat:
        asked: list[tuple[str, str]] = []
        chat.page.on("request", lambda request: asked.append((request.method, urlsplit(request.url).path)))
        await chat.page.click("#call")
        await expect(chat.sent).to_have_count(3)
        # The voice is loaded while the first words are said.
        assert asked.index(("GET", "/speech")) < asked.index(("POST", "/dictation"))
        await chat.page.click("#call")
        await expect(line(chat)).to_have_count(0)
        await chat.until_done()
        assert await chat.sent.all_inner_texts() == ["Sound 1."] * 3
        await expect(chat.replies).to_have_count(3)


async def test_without_a_model_the_button_says_what_to_fetch(hearing: Browser, tmp_path: Path) -> None:
    async with scripted_site(tmp_path, transcription_model="whisper-large") as site, calling(hearing, site) as chat:
        for button in ("#dictate", "#call"):
            await chat.page.click(button)
            await expect(line(chat)).to_contain_text("one_click.py fetch transcription")
            await expect(chat.page.locator(button)).to_have_attribute("aria-pressed", "false")
        await line(chat).get_by_role("button", name="Close").click()
        await expect(line(chat)).to_have_count(0)
