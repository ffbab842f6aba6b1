"""Replies that are heard, with the real Kokoro: from their buttons, and while they are written."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Request, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site, scripted_site
from tests.browser.visits import visiting
from tests.speech_models import lay_kokoro

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]

_IS_HEARD: Final = (
    "() => document.getElementById('spoken')?.currentTime > 0 && !document.getElementById('spoken').paused"
)
_IS_SILENT: Final = "() => !window.readAloud.isSpeaking && document.getElementById('spoken').paused"
# What the page asked to be spoken, and how many sounds it played.
_WATCH: Final = """() => {
    window.heard = { asked: [], played: 0 };
    document.addEventListener("playing", () => { window.heard.played += 1; }, true);
    const ask = window.fetch.bind(window);
    window.fetch = (address, options) => {
        if (options?.method === "POST" && String(address).endsWith("/speech")) window.heard.asked.push(JSON.parse(options.body));
        return ask(address, options);
    };
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def speaking(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    folder = tmp_path_factory.mktemp("speaking")
    (folder / "models").mkdir()
    lay_kokoro(folder / "models")
    async with scripted_site(folder, max_tokens_second=4, speech_model="onnx-community_Kokoro-82M-v1.0-ONNX") as site:
        yield site


@pytest_asyncio.fixture(loop_scope="session")
async def chat(browser: Browser, speaking: Site) -> AsyncIterator[ChatPage]:
    async with visiting(browser, speaking.url) as page:
        chat = ChatPage(page)
        await expect(chat.chosen).to_have_count(1)
        await chat.new()
        await page.evaluate(_WATCH)
        yield chat


def reader(chat: ChatPage) -> Locator:
    return chat.page.locator("#chat .read-aloud").last


async def test_a_reply_is_heard_and_silenced(chat: ChatPage) -> None:
    await chat.say("echo: First **words**. And then some more of them.")
    await expect(reader(chat)).to_have_accessible_name("Read aloud")
    await reader(chat).click()
    await expect(reader(chat)).to_have_accessible_name("Stop reading")
    await chat.page.wait_for_function(_IS_HEARD)
    (asked,) = await chat.page.evaluate("() => window.heard.asked")
    assert asked["text"].strip() == "First words. And then some more of them."
    await reader(chat).click()
    await chat.page.wait_for_function(_IS_SILENT)
    await expect(reader(chat)).to_have_accessible_name("Read aloud")
    await reader(chat).click()
    await chat.page.wait_for_function(_IS_HEARD)
    await chat.page.keyboard.press("Escape")
    await chat.page.wait_for_function(_IS_SILENT)


@pytest.mark.extended
async def test_a_reply_is_heard_to_its_end(chat: ChatPage) -> None:
    # The first sentence is made in two pieces, so that its beginning is heard soon.
    await chat.say("echo: The rain had stopped, the children ran out. Two.")
    await reader(chat).click()
    await chat.page.wait_for_function("() => window.heard.played === 3")
    asked = await chat.page.evaluate("() => window.heard.asked.map((each) => [each.is_first, each.is_over])")
    assert asked == [[True, True]]
    await chat.page.wait_for_function(_IS_SILENT)
    await expect(reader(chat)).to_have_accessible_name("Read aloud")


async def test_the_voice_is_loaded_before_there_is_anything_to_read(chat: ChatPage) -> None:
    def loads(request: Request) -> bool:
        return request.method == "GET" and "/speech" in request.url

    switch = chat.page.locator("#read-replies input")
    async with chat.page.expect_request(loads):
        await switch.check()
    await switch.uncheck()


@pytest.mark.extended
async def test_the_voice_is_loaded_when_a_message_is_begun(chat: ChatPage) -> None:
    # As if it had been chosen when the page was opened.
    await chat.page.evaluate("() => { document.querySelector('#read-replies input').checked = true; }")
    async with chat.page.expect_request(lambda request: "/speech" in request.url):
        await chat.box.press_sequentially("He")
    await chat.page.evaluate("() => { document.querySelector('#read-replies input').checked = false; }")


async def test_a_reply_is_heard_while_it_is_written(chat: ChatPage) -> None:
    await chat.page.locator("#read-replies input").check()
    try:
        # It takes minutes to be written, so that it does not end before two sentences were heard.
        await chat.write("echo: This is the first sentence. " + "This is another. " * 100)
        await chat.page.wait_for_function("() => window.heard.played >= 2")
        await expect(chat.stop_button).to_have_count(1)
        asked = await chat.page.evaluate("() => window.heard.asked.map((each) => [each.is_first, each.is_over])")
        assert asked == [[True, False], *[[False, False]] * (len(asked) - 1)]
        await chat.page.keyboard.press("Escape")
        await chat.page.wait_for_function(_IS_SILENT)
    finally:
        await chat.page.locator("#read-replies input").uncheck()


@pytest.mark.extended
async def test_stopping_a_reply_silences_it(chat: ChatPage) -> None:
    await chat.page.evaluate("() => window.readAloud.begin()")
    await chat.write("echo: " + "This is a sentence. " * 40)
    await chat.page.wait_for_function(_IS_HEARD)
    await chat.stop_button.click()
    await chat.page.wait_for_function(_IS_SILENT)


async def test_without_a_model_the_button_says_what_to_fetch(browser: Browser, tmp_path: Path) -> None:
    async with scripted_site(tmp_path) as site, visiting(browser, site.url) as page:
        chat = ChatPage(page)
        await expect(chat.chosen).to_have_count(1)
        await reader(chat).click()
        await expect(page.locator("#voice-line")).to_contain_text("one_click.py fetch speech")
        await expect(reader(chat)).to_have_accessible_name("Read aloud")
