"""What a tab and the server hold after an hour of use."""

from collections.abc import Iterator
from typing import Any, Final

from playwright.sync_api import Browser, Page

from bench.page.serving import Figure, Server
from bench.page.visits import noting

# What is done in one chat before the next one is begun.
_REPLIES_A_CHAT: Final = 5
_SECTIONS: Final = ("notebook-tab", "character-tab", "settings-tab", "chat-tab")
# Whatever is made once has been made by then.
_WARM_CHATS: Final = 4
_VISITS: Final = 10


def memory_figures(browser: Browser, server: Server, replies: int) -> Iterator[Figure]:
    """With an empty chat shown, everything that can be given back given back: when all has been used a few times, and after
    so many short replies, each few in a chat of their own, between visits to the other sections."""
    with noting(browser) as page:
        page.goto(server.url)
        page.locator("#box textarea").wait_for()
        for number in range(_WARM_CHATS):
            _use(page, number)
        before, held = _held(page), server.megabytes
        chats = max(1, replies // _REPLIES_A_CHAT)
        for number in range(chats):
            _use(page, _WARM_CHATS + number)
        after = _held(page)
        what = f"{chats} chats and {chats * _REPLIES_A_CHAT} replies more"
        for name, metric, unit, scale in (
            ("heap of the tab", "JSHeapUsedSize", "MB", 1e6),
            ("elements of the tab", "Nodes", "", 1.0),
            ("listeners of the tab", "JSEventListeners", "", 1.0),
        ):
            yield Figure(f"{name}, when all was used", before[metric] / scale, unit, "—")
            yield Figure(f"{name}, after {what}", after[metric] / scale, unit, "as before")
        yield Figure("server, when all was used", held, "MB", "—")
        used = server.megabytes
        yield Figure(f"server, after {what}", used, "MB", "as before, but for what it keeps of chats")
    for _ in range(_VISITS):
        with noting(browser) as page:
            page.goto(server.url)
            page.wait_for_selector("#box textarea")
            page.wait_for_timeout(1000)
    yield Figure(f"server, grown by {_VISITS} visits", server.megabytes - used, "MB", "given back half a minute later")


def _use(page: Page, number: int) -> None:
    """A chat, a search, every section; the next chat is shown then."""
    for reply in range(_REPLIES_A_CHAT):
        words = f"chat {number} reply {reply}"
        page.fill("#box textarea", f"echo: {words} with a few words")
        page.keyboard.press("Enter")
        page.wait_for_function(
            "words => [...document.querySelectorAll('#chat .bot-row')].at(-1)?.innerText.includes(words)",
            arg=words,
            timeout=30_000,
        )
        # A handle, as `wait_for_selector` returns one, would hold the button, which the page drops at the next reply.
        page.locator("#box .submit-button").wait_for(timeout=30_000)
    page.fill("#chat-search input", f"chat {number}")
    page.fill("#chat-search input", "")
    for section in _SECTIONS:
        page.evaluate("name => window.sections.show(name)", section)
        page.locator(f"#{section}").wait_for()
    page.click("#new-chat")
    page.wait_for_selector("#chat .message-row", state="detached")


def _held(page: Page) -> dict[str, float]:
    tools = page.context.new_cdp_session(page)
    for _ in range(2):
        tools.send("HeapProfiler.collectGarbage")
    tools.send("Performance.enable")
    answer: dict[str, Any] = tools.send("Performance.getMetrics")
    tools.detach()
    return {each["name"]: each["value"] for each in answer["metrics"]}
