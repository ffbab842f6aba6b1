"""What a stream into a long chat costs, and what an idle page does."""

import time
from collections.abc import Iterator
from statistics import median
from typing import Any, Final

from playwright.sync_api import Browser, Page

from bench.page.serving import Figure, Server
from bench.page.visits import noting

_SECONDS: Final = 10
_IDLE_SECONDS: Final = 20
# Tokens a second: the rate that the goal speaks of, and one beyond it. Each token is one letter.
_SHARE_GOALS: Final = {100: "< 15", 500: "—"}
_WATCH_FRAMES: Final = """() => {
  window.gaps = [];
  window.noted.tasks.length = 0;
  let last = performance.now();
  const frame = (now) => { window.gaps.push(now - last); last = now; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
}"""


def streaming_figures(browser: Browser, server: Server) -> Iterator[Figure]:
    with noting(browser) as page:
        page.goto(server.url)
        page.wait_for_selector("#chat .message")
        yield from _idle(browser, page, server)
        for rate in _SHARE_GOALS:
            yield from _streaming(page, server, rate)


def _idle(browser: Browser, page: Page, server: Server) -> Iterator[Figure]:
    """With the page open and nobody doing anything."""
    page.wait_for_timeout(3000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    before, drawn = server.cpu_seconds, _renderers(browser)
    page.wait_for_timeout(_IDLE_SECONDS * 1000)
    yield Figure("server, idle", (server.cpu_seconds - before) / _IDLE_SECONDS * 100, "% of a core", "~ 0")
    yield Figure("page, idle", (_renderers(browser) - drawn) / _IDLE_SECONDS * 100, "% of a core", "~ 0")
    yield Figure("requests of an idle page", len(asked) / _IDLE_SECONDS * 60, "a minute", "—")


def _streaming(page: Page, server: Server, rate: int) -> Iterator[Figure]:
    page.fill("#box textarea", f"talk {_SECONDS * rate} {rate}")
    page.evaluate(_WATCH_FRAMES)
    page.keyboard.press("Enter")
    page.wait_for_selector("#live .message", timeout=30_000)
    before, began = server.cpu_seconds, time.monotonic()
    page.wait_for_timeout(_SECONDS * 1000)
    share = (server.cpu_seconds - before) / (time.monotonic() - began)
    gaps = sorted(page.evaluate("window.gaps"))
    if page.locator("#box .stop-button").count():
        page.click("#box .stop-button")
    page.wait_for_selector("#box .submit-button", timeout=30_000)
    page.wait_for_timeout(1000)
    tasks: list[float] = page.evaluate("window.noted.tasks")
    yield Figure(f"server beside the model, at {rate} tokens/s", share * 100, "% of a core", _SHARE_GOALS[rate])
    yield Figure(f"frames, median, at {rate} tokens/s", median(gaps), "ms", "—")
    yield Figure(f"frames, 95th percentile, at {rate} tokens/s", gaps[int(len(gaps) * 0.95)], "ms", "responsive")
    yield Figure(f"tasks over 50 ms, at {rate} tokens/s", len(tasks), "", "0" if rate == min(_SHARE_GOALS) else "—")
    yield Figure(f"longest task, at {rate} tokens/s", max(tasks, default=0), "ms", "≤ 50; 0: none over 50")


def _renderers(browser: Browser) -> float:
    """Seconds of computing of all tabs."""
    tools = browser.new_browser_cdp_session()
    answer: dict[str, Any] = tools.send("SystemInfo.getProcessInfo")
    tools.detach()
    return float(sum(each["cpuTime"] for each in answer["processInfo"] if each["type"] == "renderer"))
