"""The conversation is at its end when something is said, and where its reader has put it at all other times."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import product
from typing import Any, Final

import pytest
from playwright.async_api import Browser, ViewportSize, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site
from tests.browser.visits import DESKTOP, PHONE, visiting

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_SIZES: Final = [pytest.param(DESKTOP, id="desktop"), pytest.param(PHONE, id="phone")]
_DESKTOP_DAILY: Final = [_SIZES[0], pytest.param(PHONE, id="phone", marks=pytest.mark.extended)]
_TITLE: Final = "A long conversation"
_AT_END: Final = """() => { const it = document.querySelector('#scroller');
  return it.scrollHeight > it.clientHeight && it.scrollHeight - it.scrollTop - it.clientHeight <= 2; }"""
_UNTIL_STILL: Final = """() => new Promise((done) => {
  const it = document.querySelector('#scroller');
  let same = 0, last = -1;
  const frame = () => { same = it.scrollTop === last ? same + 1 : 0; last = it.scrollTop; same > 9 ? done() : requestAnimationFrame(frame); };
  frame();
})"""
# After the second frame from now; between two there may be messages that nobody has seen yet.
_SEEN_AT_END: Final = f"""() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {{
  const {{ port1, port2 }} = new MessageChannel();
  port1.onmessage = () => done(({_AT_END})());
  port2.postMessage(0);
}})))"""
# As when a reply is complete: it leaves one component, and is in another one before anything is painted.
_GO_AND_COME_BACK: Final = """() => new Promise((done) => {
  const it = document.querySelector('#scroller'), rows = document.querySelector('#chat .message-wrap'), above = rows.parentNode;
  const before = rows.nextSibling, top = it.scrollTop;
  rows.remove();
  const isMoved = it.scrollTop < top;
  above.insertBefore(rows, before);
  requestAnimationFrame(() => requestAnimationFrame(() => done(isMoved)));
})"""
_PARAGRAPHS: Final = "\n\n".join(
    f"Paragraph {number}. " + "Words that fill a line or two. " * 9 for number in range(30)
)


# How far above the end its reader is, and what is said then: lines of the box and of the reply.
_HEIGHTS: Final = (0, 1500, 100_000)
_MESSAGES: Final = (
    "echo: short",
    "echo: " + "many words " * 40,
    "echo: one" + "\nand a line" * 12,
    # Of several screens; with its reply it fits the context of 8,192 letters.
    f"echo: {_PARAGRAPHS[:2500]}",
    "count 600",
)


@asynccontextmanager
async def _long_chat(browser: Browser, site: Site, size: ViewportSize) -> AsyncIterator[ChatPage]:
    """The page with a chat of many messages, long ones and short ones, which was opened last."""
    rows = [[f"Question {number}", _PARAGRAPHS if number % 3 == 0 else "Short."] for number in range(24)]
    file = site.data / "logs" / "instruct" / f"{_TITLE}.json"
    file.write_text(json.dumps({"internal": rows, "visible": rows}), encoding="utf-8")
    try:
        async with visiting(browser, site.url, viewport=size) as page:
            chat = ChatPage(page)
            await expect(chat.chosen).to_have_count(1)
            await _open_list(chat, size)
            await chat.open(_TITLE)
            await page.wait_for_function(_AT_END)
            yield chat
    finally:
        file.unlink(missing_ok=True)


async def _open_list(chat: ChatPage, size: ViewportSize) -> None:
    if size == PHONE:
        await chat.page.click("#toggle-left")


async def _scroll_up(chat: ChatPage) -> None:
    await chat.page.locator("#scroller").hover()
    await chat.page.mouse.wheel(0, -4000)
    await expect(_jump(chat)).to_be_visible()


def _jump(chat: ChatPage) -> Any:
    return chat.page.get_by_role("button", name="Jump to latest")


@pytest.mark.parametrize("size", _DESKTOP_DAILY)
async def test_long_chat_opens_at_its_end(browser: Browser, scripted: Site, size: ViewportSize) -> None:
    async with _long_chat(browser, scripted, size) as chat:
        await expect(_jump(chat)).to_be_hidden()
        await chat.page.reload()
        await expect(chat.sent.last).to_contain_text("Question 23")
        await chat.page.wait_for_function(_AT_END)


@pytest.mark.parametrize("size", _SIZES)
async def test_enter_brings_the_reader_to_the_message(browser: Browser, scripted: Site, size: ViewportSize) -> None:
    async with _long_chat(browser, scripted, size) as chat:
        await _scroll_up(chat)
        await chat.say("echo: Here I am")
        await chat.page.wait_for_function(_AT_END)
        await expect(chat.replies.last).to_be_in_viewport()
        # The box is as high as the lines in it, and lower when they are sent.
        await chat.say("echo: " + "many words " * 40)
        await chat.page.wait_for_function(_AT_END)
        await chat.say("count 800")
        await chat.page.wait_for_function(_AT_END)


@pytest.mark.extended
@pytest.mark.parametrize("size", _SIZES)
async def test_enter_leaves_no_gap_wherever_the_reader_was(
    browser: Browser, scripted: Site, size: ViewportSize
) -> None:
    async with _long_chat(browser, scripted, size) as chat:
        for up, words in product(_HEIGHTS, _MESSAGES):
            if up:
                await chat.page.locator("#scroller").hover()
                await chat.page.mouse.wheel(0, -up)
                await expect(_jump(chat)).to_be_visible()
                await chat.page.evaluate(_UNTIL_STILL)
            asked = await chat.sent.count()
            await chat.write(words)
            await expect(chat.sent).to_have_count(asked + 1)
            assert await chat.page.evaluate(_SEEN_AT_END), (up, words[:20])
            await chat.until_done()
            await chat.page.wait_for_function(_AT_END)


@pytest.mark.parametrize("size", _DESKTOP_DAILY)
async def test_jump_to_latest(browser: Browser, scripted: Site, size: ViewportSize) -> None:
    async with _long_chat(browser, scripted, size) as chat:
        await _scroll_up(chat)
        await _jump(chat).click()
        await chat.page.wait_for_function(_AT_END)
        await expect(_jump(chat)).to_be_hidden()
        assert await chat.page.evaluate(_GO_AND_COME_BACK)
        await chat.page.wait_for_function(_AT_END)
        await expect(_jump(chat)).to_be_hidden()
        # A phone that is turned.
        lying: ViewportSize = {"width": size["height"], "height": size["width"]}
        for turned in (lying, size):
            await chat.page.set_viewport_size(turned)
            await chat.page.wait_for_function(f"innerWidth === {turned['width']} && ({_AT_END})()")
            await chat.page.evaluate(_UNTIL_STILL)
            assert await chat.page.evaluate(_SEEN_AT_END)


async def test_reader_who_has_scrolled_up_is_left_alone(browser: Browser, scripted: Site) -> None:
    async with _long_chat(browser, scripted, DESKTOP) as chat:
        # It goes on for a minute, however slow this machine is.
        await chat.write("slow 3000")
        await expect(chat.live.last).to_be_in_viewport()
        await _scroll_up(chat)
        await chat.growing()
        await expect(chat.live.last).not_to_be_in_viewport()
        await chat.stop_button.click()
        await chat.until_done()
        await expect(chat.replies.last).not_to_be_in_viewport()
        await expect(_jump(chat)).to_be_visible()
