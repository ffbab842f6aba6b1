"""A browser's visit: when the first key is accepted, what is asked for, what moves, what blocks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from playwright.sync_api import Browser, BrowserContext, Page

from bench.page.serving import Server

# Keys are pressed this often until one is accepted, as an impatient user does.
_KEY_MS: Final = 15
# How long a visit is watched after the page can be used.
_SETTLED_MS: Final = 3000
_BOX: Final = "#box textarea"
_NOTE: Final = """
window.noted = {key: 0, paint: 0, shift: 0, tasks: []};
addEventListener('input', event => {
  if (event.target.closest?.('#box') && !noted.key) noted.key = performance.now();
}, true);
const note = (type, take) => new PerformanceObserver(list => list.getEntries().forEach(take)).observe({type, buffered: true});
note('layout-shift', each => { if (!each.hadRecentInput) noted.shift += each.value; });
note('paint', each => { if (each.name === 'first-contentful-paint') noted.paint = each.startTime; });
note('longtask', each => noted.tasks.push(each.duration));
"""


@dataclass(frozen=True, slots=True)
class Visit:
    """One opening of the page: what a browser asked for over the network until it was settled, and what was seen."""

    requests: int
    kilobytes: float
    seconds_to_paint: float
    shift: float


@contextmanager
def noting(browser: Browser | BrowserContext) -> Iterator[Page]:
    """A tab in which `window.noted` says what happens."""
    page = (
        browser.new_page(viewport={"width": 1440, "height": 900})
        if isinstance(browser, Browser)
        else browser.new_page()
    )
    page.add_init_script(_NOTE)
    try:
        yield page
    finally:
        page.close()


def first_key(browser: Browser | BrowserContext, server: Server) -> float:
    """Seconds from the beginning of the visit until a key that was pressed stands in the message box."""
    with noting(browser) as page:
        page.goto(server.url, wait_until="commit")
        while not (at := page.evaluate("window.noted?.key")):
            page.keyboard.press("x")
            page.wait_for_timeout(_KEY_MS)
        page.wait_for_timeout(_SETTLED_MS)
        if not page.input_value(_BOX).startswith("x"):
            raise RuntimeError("what was typed while the page opened is lost")
        return float(at) / 1000


def visit(browser: Browser | BrowserContext, server: Server) -> Visit:
    """Nothing is pressed: what moves then has no excuse."""
    with noting(browser) as page:
        asked: dict[str, str] = {}
        kept: set[str] = set()
        sizes: list[float] = []
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.on(
            "Network.requestWillBeSent", lambda event: asked.update({event["requestId"]: event["request"]["url"]})
        )
        network.on("Network.requestServedFromCache", lambda event: kept.add(event["requestId"]))
        network.on(
            "Network.responseReceived",
            lambda event: kept.add(event["requestId"]) if event["response"].get("fromDiskCache") else None,
        )
        network.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
        page.goto(server.url)
        page.wait_for_selector(_BOX)
        page.wait_for_timeout(_SETTLED_MS)
        noted: dict[str, Any] = page.evaluate("window.noted")
        fetched = [each for each, url in asked.items() if url.startswith("http") and each not in kept]
        return Visit(len(fetched), sum(sizes) / 1000, noted["paint"] / 1000, noted["shift"])
