"""The web page in a real Chromium: how fast it opens, how it feels while words stream into a long chat, and what ten
thousand chats cost.

Usage: python -m bench.page [--rounds 5] [--chats 10000]; needs Chromium and requirements/dev.txt. The model's part is
played by the scripted backend in its own process.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import psutil
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from bench.servers import ROOT, free_port

_MESSAGES: Final = 200
# Numbers that no other one of the ten thousand begins with.
_FOUR_DIGITS: Final = 1000
_STREAM_SECONDS: Final = 10
# Tokens a second: the rate that the goal speaks of, and one beyond it. Each token is one letter.
_SHARE_GOALS: Final = {100: "< 15", 500: "—"}
_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_WATCH_FRAMES: Final = """() => {
  window.gaps = [];
  let last = performance.now();
  const frame = (now) => { window.gaps.push(now - last); last = now; requestAnimationFrame(frame); };
  requestAnimationFrame(frame);
}"""
_PARAGRAPH: Final = "Some words with **weight** and `code`, enough of them to fill a line or two of the page. " * 4
_CODE: Final = "\n```python\ndef f(x: int) -> int:\n    return x + 1\n```\n"


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    value: float
    unit: str
    goal: str


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The page over the scripted backend, once it answers."""
    port = free_port()
    command = [sys.executable, "server.py", "--user-data-dir", str(folder), "--listen-port", str(port)]
    process = subprocess.Popen(
        [*command, "--loader", "scripted", "--ctx-size", "1000000"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        while "Web UI" not in process.stdout.readline():
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with code {process.returncode}")
        yield f"http://127.0.0.1:{port}/", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait()


def long_chat(folder: Path) -> None:
    """A chat of 200 messages, which is the one that the page opens."""
    words = [_PARAGRAPH + (_CODE if number % 10 == 0 else "") for number in range(_MESSAGES // 2)]
    _write(folder / "logs" / "instruct" / "long.json", [["A question.", text] for text in words])
    (folder / "logs" / "chat_state.json").write_text(json.dumps({"last_chats": {"instruct": "long"}}), "utf-8")


def many_chats(folder: Path, count: int) -> None:
    for number in range(count):
        name = f"2025{1 + number // 2500:02}{1 + number // 90 % 28:02}-{number % 24:02}-{number % 60:02}-{number:05}"
        _write(folder / "logs" / "instruct" / f"{name}.json", [[f"Question {number}", f"Answer {number} " * 20]])


def opening(browser: Browser, url: str, rounds: int) -> float:
    """Seconds until the box can be written into and the chat is there; median."""
    return median(_opened(browser, url) for _ in range(rounds))


def opening_again(browser: Browser, url: str, rounds: int) -> float:
    """As `opening`, in a browser that has been there; median."""
    context = browser.new_context()
    _opened(context, url)
    took = median(_opened(context, url) for _ in range(rounds))
    context.close()
    return took


def streaming(page: Page, server: psutil.Process, rate: int) -> list[Figure]:
    page.fill("#box textarea", f"talk {_STREAM_SECONDS * rate} {rate}")
    page.evaluate(_WATCH_FRAMES)
    page.keyboard.press("Enter")
    page.wait_for_selector("#live .message", timeout=30_000)
    before, began = _cpu_seconds(server), time.monotonic()
    page.wait_for_timeout(_STREAM_SECONDS * 1000)
    share = (_cpu_seconds(server) - before) / (time.monotonic() - began)
    gaps = sorted(page.evaluate("window.gaps"))
    page.click("#box .stop-button")
    page.wait_for_selector("#box .submit-button", timeout=30_000)
    return [
        Figure(f"server beside the model, at {rate} tokens/s", share * 100, "% of a core", _SHARE_GOALS[rate]),
        Figure(f"frames, median, at {rate} tokens/s", median(gaps), "ms", "—"),
        Figure(f"frames, 95th percentile, at {rate} tokens/s", gaps[int(len(gaps) * 0.95)], "ms", "responsive"),
    ]


def searching(page: Page, rounds: int) -> float:
    """Seconds from the last key to the list; median."""
    return median(_searched(page, f"Answer {_FOUR_DIGITS + number * 7}") for number in range(rounds))


def idle(server: psutil.Process) -> float:
    """Share of a core, with the page open and nobody doing anything."""
    time.sleep(3)
    before = _cpu_seconds(server)
    time.sleep(10)
    return (_cpu_seconds(server) - before) / 10


def _opened(browser: Browser | BrowserContext, url: str) -> float:
    page = browser.new_page()
    began = time.monotonic()
    page.goto(url)
    page.wait_for_selector("#box textarea")
    took = time.monotonic() - began
    page.close()
    return took


def _searched(page: Page, words: str) -> float:
    page.fill("#chat-search input", "")
    page.wait_for_timeout(500)
    began = time.monotonic()
    page.fill("#chat-search input", words)
    page.wait_for_function("document.querySelectorAll('#past-chats .chat-row').length < 20", timeout=30_000)
    return time.monotonic() - began


def _cpu_seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


def _write(file: Path, rows: list[list[str]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"internal": rows, "visible": rows}), "utf-8")


def measured(rounds: int, chats: int) -> Iterator[Figure]:
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with tempfile.TemporaryDirectory() as place, sync_playwright() as driver:
        folder = Path(place)
        browser = driver.chromium.launch(executable_path=chromium, args=list(_FLAGS))
        began = time.monotonic()
        with serving(folder) as (url, _):
            yield Figure("the program starts, no chats", time.monotonic() - began, "s", "—")
            yield Figure("the page opens, empty", opening(browser, url, rounds), "s", "< 1.5")
            yield Figure("the page opens again", opening_again(browser, url, rounds), "s", "< 1.5")
        long_chat(folder)
        with serving(folder) as (url, server):
            page = browser.new_page()
            page.goto(url)
            page.wait_for_selector("#chat .message")
            yield Figure("server, idle", idle(server) * 100, "% of a core", "~ 0")
            for rate in _SHARE_GOALS:
                yield from streaming(page, server, rate)
        many_chats(folder, chats)
        began = time.monotonic()
        with serving(folder) as (url, _):
            yield Figure(f"the program starts, {chats} chats", time.monotonic() - began, "s", "as without")
            yield Figure(f"the page opens, {chats} chats", opening(browser, url, rounds), "s", "as without")
            page = browser.new_page()
            page.goto(url)
            page.wait_for_function("document.querySelectorAll('#past-chats .chat-row').length > 20")
            page.wait_for_timeout(15_000)
            yield Figure(f"a search, {chats} chats", searching(page, rounds), "s", "not noticeable")
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chats", type=int, default=10_000)
    given = parser.parse_args()
    print("| what | measured | unit | goal |\n|---|---|---|---|")
    for figure in measured(given.rounds, given.chats):
        print(f"| {figure.name} | {figure.value:.3g} | {figure.unit} | {figure.goal} |", flush=True)


if __name__ == "__main__":
    main()
