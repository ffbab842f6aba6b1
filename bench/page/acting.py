"""What follows an act of the user: where the conversation is after Enter, when a chat is listed and opened, when a lost
server is told of."""

import time
from collections.abc import Callable, Iterator
from itertools import product
from statistics import median
from typing import Final

from playwright.sync_api import Browser, Page

from bench.page.serving import Figure, Server
from bench.page.visits import noting

_SIZES: Final = {"desktop": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}
# As `write_long_chat` calls it.
_LONG_CHAT: Final = "long"
# How far above the end its reader is, in screens.
_PLACES: Final = (0, 3, 1000)
_PARAGRAPH: Final = "Words that fill a line or two of the page, and some more of them. " * 6
_MESSAGES: Final = (
    "echo: short",
    "echo: " + _PARAGRAPH,
    "echo: " + "a line\n" * 12,
    "echo: " + "\n\n".join([_PARAGRAPH] * 20),
    "count 600",
)
_GAP_MS: Final = 200
_GAP: Final = """() => { const it = document.querySelector('#scroller');
  return it.scrollHeight - it.scrollTop - it.clientHeight; }"""
_AT_END: Final = f"({_GAP})() <= 2"
# As it was painted: whoever asks for a place between two frames has what nobody has seen yet laid out.
_PAINTED_GAP: Final = """() => new Promise((done) => {
  const it = document.querySelector('#scroller');
  const watching = new IntersectionObserver((parts) => {
    watching.disconnect();
    const ends = parts.filter((each) => each.boundingClientRect.height).map((each) => each.boundingClientRect.bottom);
    done(Math.max(0, Math.max(...ends) - parts[0].rootBounds.bottom));
  }, { root: it });
  for (const each of it.children) watching.observe(each);
})"""
# Not before the reply has begun, either.
_ANSWERED: Final = """asked => document.querySelectorAll('#chat .user-row').length > asked
  && [...document.querySelectorAll('#chat .message-row')].at(-1).matches('.bot-row')
  && !document.querySelector('#live .message-row, #box .stop-button')"""
_UNTIL_STILL: Final = """() => new Promise((done) => {
  const it = document.querySelector('#scroller');
  let same = 0, last = -1;
  const frame = () => { same = it.scrollTop === last ? same + 1 : 0; last = it.scrollTop; same > 9 ? done() : requestAnimationFrame(frame); };
  frame();
})"""
_LISTED: Final = (
    "words => [...document.querySelectorAll('#past-chats .chat-row')].some(each => each.innerText.includes(words))"
)
_OPENED: Final = f"document.querySelectorAll('#chat .message-row').length > 100 && {_AT_END}"
_BANNER: Final = "!!document.querySelector('#server-gone')"


def acting_figures(browser: Browser, server: Server, rounds: int) -> Iterator[Figure]:
    """Of a server whose page opens with a chat of 200 messages."""
    gaps = {name: _gaps(browser, server, size) for name, size in _SIZES.items()}
    for name, found in gaps.items():
        yield Figure(f"gap to the end 200 ms after Enter, most of {len(found)} cases, {name}", max(found), "px", "≤ 2")
    with noting(browser) as page:
        page.goto(server.url)
        page.wait_for_selector("#chat .message")
        yield from _listing(page, browser, server, rounds)
        yield Figure("200 messages shown, at their end", _median(rounds, lambda _: _opened(page)), "s", "< 0.5")
        yield from _losing(page, server)


def _gaps(browser: Browser, server: Server, size: dict[str, int]) -> list[float]:
    with noting(browser) as page:
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        page.goto(server.url)
        page.wait_for_selector("#chat .message")
        return [_gap(page, place, words) for place, words in product(_PLACES, _MESSAGES)]


def _gap(page: Page, screens: int, words: str) -> float:
    page.wait_for_function(_AT_END)
    if screens:
        page.locator("#scroller").hover()
        page.mouse.wheel(0, -screens * 800)
        page.wait_for_function(f"!({_AT_END})")
        # What a wheel scrolls later would be the reader's doing.
        page.evaluate(_UNTIL_STILL)
    asked = page.locator("#chat .user-row").count()
    page.fill("#box textarea", words)
    page.press("#box textarea", "Enter")
    page.wait_for_timeout(_GAP_MS)
    gap = float(page.evaluate(_PAINTED_GAP))
    page.wait_for_function(_ANSWERED, arg=asked)
    return gap


def _listing(page: Page, browser: Browser, server: Server, rounds: int) -> Iterator[Figure]:
    """A new chat, from Enter until the list has it, where it was begun and in another browser."""
    with noting(browser) as other:
        other.goto(server.url)
        other.wait_for_selector("#past-chats .chat-row")
        # It listens for news a moment after it is filled.
        other.wait_for_timeout(2000)
        here, there = zip(*(_listed(page, other, f"slow 30{number}") for number in range(rounds)), strict=True)
    yield Figure("new chat listed after Enter", median(here), "s", "< 0.3")
    yield Figure("new chat listed in another browser", median(there), "s", "< 0.3")


def _listed(page: Page, other: Page, words: str) -> tuple[float, float]:
    page.click("#new-chat")
    page.wait_for_function("!document.querySelector('#chat .message-row')")
    page.fill("#box textarea", words)
    # Nobody writes a message in less: what is sent while another chat is being opened waits for that.
    page.wait_for_timeout(500)
    began = time.monotonic()
    page.press("#box textarea", "Enter")
    page.wait_for_function(_LISTED, arg=words)
    here = time.monotonic() - began
    other.wait_for_function(_LISTED, arg=words)
    there = time.monotonic() - began
    page.click("#box .stop-button")
    page.wait_for_selector("#box .submit-button")
    return here, there


def _opened(page: Page) -> float:
    page.click("#new-chat")
    page.wait_for_function("!document.querySelector('#chat .message-row')")
    row = page.locator("#past-chats .chat-row").filter(has_text=_LONG_CHAT)
    began = time.monotonic()
    row.click()
    page.wait_for_function(_OPENED)
    return time.monotonic() - began


def _losing(page: Page, server: Server) -> Iterator[Figure]:
    """A server that says nothing for a while, as behind a network that is lost, and one that has ended."""
    page.evaluate("window.stays = true")
    for act, sign, name in (
        (server.process.suspend, _BANNER, "told of a lost connection"),
        (server.process.resume, f"!{_BANNER}", "told that it is back, without a reload"),
    ):
        began = time.monotonic()
        act()
        page.wait_for_function(sign)
        yield Figure(name, time.monotonic() - began, "s", "≤ 3")
    if not page.evaluate("window.stays"):
        raise RuntimeError("the page was loaded again")
    began = time.monotonic()
    server.process.kill()
    page.wait_for_function(_BANNER)
    yield Figure("told of a server that has ended", time.monotonic() - began, "s", "≤ 3")


def _median(rounds: int, act: Callable[[int], float]) -> float:
    return median(act(number) for number in range(rounds))
