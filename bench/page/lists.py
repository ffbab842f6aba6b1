"""What thousands of chats cost whoever looks for one, opens it, renames it and deletes it."""

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Final

from playwright.sync_api import Browser, Page

from bench.page.serving import Figure, Server
from bench.page.visits import noting

_MOST_LOOKS: Final = 20
_FEW: Final = 20
# As it is called today, and before it was drawn by the page itself.
_ROWS: Final = "#past-chats .chat-row, #past-chats label"
_CHOSEN: Final = "#past-chats .chat-row[aria-current]"


def list_figures(browser: Browser, server: Server, rounds: int, count: int, of: str) -> Iterator[Figure]:
    # Numbers that no other one of so many begins with.
    first = count // 10
    with noting(browser) as page:
        began = time.monotonic()
        page.goto(server.url)
        page.wait_for_function(f"document.querySelectorAll('{_ROWS}').length > 20", timeout=60_000)
        yield Figure(f"list of chats usable, {of}", time.monotonic() - began, "s", "< 1 (1000 chats)")
        _wait_for_index(page, count - 1)
        yield Figure(
            f"a search, {of}", _median(rounds, lambda number: _searched(page, first + number * 7)), "s", "< 0.2"
        )
        yield Figure(
            f"a chat is opened, {of}",
            _median(rounds, lambda number: _opened(page, first + number * 7 + 1)),
            "s",
            "< 0.5",
        )
        yield Figure(f"a chat is renamed, {of}", _median(rounds, lambda number: _renamed(page, number)), "s", "—")
        yield Figure(f"a chat is deleted, {of}", _median(rounds, lambda _: _deleted(page)), "s", "—")


def _wait_for_index(page: Page, last: int) -> None:
    """Until the chat that is read last is found; looking for it is what has the index go on."""
    for _ in range(_MOST_LOOKS):
        page.fill("#chat-search input", f"Answer {last}")
        page.wait_for_timeout(1000)
        if page.locator(_ROWS).count() and page.locator(_ROWS).count() < _FEW:
            break
        page.fill("#chat-search input", "")
        page.wait_for_timeout(1000)
    _clear_search(page)


def _median(rounds: int, act: Callable[[int], float]) -> float:
    return median(act(number) for number in range(rounds))


def _searched(page: Page, number: int) -> float:
    """From the last key to the list."""
    return _until_found(page, f"Answer {number}")


def _opened(page: Page, number: int) -> float:
    words = f"Answer {number}"
    _until_found(page, words)
    began = time.monotonic()
    page.locator(_ROWS).first.click()
    _wait(page, f"document.querySelector('#chat .bot-row')?.innerText.includes('{words}')")
    return time.monotonic() - began


def _renamed(page: Page, number: int) -> float:
    _clear_search(page)
    title = f"Renamed {number}"
    page.locator(_ROWS).nth(number + 2).click()
    _wait(page, f"document.querySelectorAll('#past-chats .chat-row')[{number + 2}].hasAttribute('aria-current')")
    page.locator(_CHOSEN).press("F2")
    page.locator(".chat-name").fill(title)
    began = time.monotonic()
    page.keyboard.press("Enter")
    _wait(page, f"document.querySelector('{_CHOSEN}')?.innerText.includes('{title}')")
    return time.monotonic() - began


def _deleted(page: Page) -> float:
    chosen = page.locator(_CHOSEN)
    if not chosen.count():
        page.locator(_ROWS).nth(3).click()
    title = chosen.inner_text().split("\n")[0]
    began = time.monotonic()
    chosen.press("Delete")
    _wait(
        page,
        f"![...document.querySelectorAll('#past-chats .chat-row')].some(each => each.innerText.includes('{title}'))",
    )
    return time.monotonic() - began


def _until_found(page: Page, words: str) -> float:
    _clear_search(page)
    began = time.monotonic()
    page.fill("#chat-search input", words)
    _wait(page, f"document.querySelectorAll('{_ROWS}').length < 20")
    return time.monotonic() - began


def _clear_search(page: Page) -> None:
    page.fill("#chat-search input", "")
    _wait(page, f"document.querySelectorAll('{_ROWS}').length > 20")


def _wait(page: Page, condition: str) -> None:
    page.wait_for_function(condition, timeout=30_000)
