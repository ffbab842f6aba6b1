"""The speed and the time to the first token that the page tells of, beside what a client of the API measures."""

import asyncio
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp
import yaml
from playwright.sync_api import Browser, Page

from bench.client import Client
from bench.page.serving import Figure, Server
from bench.page.visits import noting

_TOKENS: Final = 128
# It takes some time to read, and begins with what no other one does, so that nothing of it is known already.
_PROMPT: Final = "Report {number} of a long walk. " + "We went over the hill and along the river to the mill. " * 40
_ASKED: Final = "Go on with it, at length."
_AFTER: Final = re.compile(r"([\d,.]+) tok/s · [\d,]+ tok · ([\d.]+) s")
_LIVE: Final = re.compile(r"([\d,.]+) tok/s")
_GOAL: Final = "0.95 to 1.05"


@dataclass(frozen=True, slots=True)
class _Pace:
    """Tokens a second while the reply was written (the last that was told) and afterwards; seconds to the first token."""

    live: float
    after: float
    first: float


def write_settings(folder: Path) -> None:
    """Replies of one length, as the API is asked for, too."""
    settings = {
        "max_new_tokens": _TOKENS,
        "auto_max_new_tokens": False,
        "temperature": 0,
        "recommended_sampling": "off",
    }
    (folder / "settings.yaml").write_text(yaml.safe_dump(settings), "utf-8")


def pace_figures(browser: Browser, server: Server, rounds: int) -> Iterator[Figure]:
    """Ratios page : API, pair by pair, in alternating order."""
    pairs: list[tuple[_Pace, _Pace]] = []
    with noting(browser) as page:
        page.goto(server.url)
        page.wait_for_selector("#box textarea")
        _shown(page, "Say something.")
        for number in range(rounds):
            prompts = [f"{_PROMPT.format(number=2 * number + side)} {_ASKED}" for side in (0, 1)]
            if number % 2:
                shown = _shown(page, prompts[0])
                measured = _measured_apart(server, prompts[1])
            else:
                measured = _measured_apart(server, prompts[1])
                shown = _shown(page, prompts[0])
            pairs.append((shown, measured))
    yield _ratio("tokens/s while written", [page.live / api.live for page, api in pairs])
    yield _ratio("tokens/s afterwards", [page.after / api.after for page, api in pairs])
    yield _ratio("time to the first token", [page.first / api.first for page, api in pairs])


def _ratio(what: str, ratios: list[float]) -> Figure:
    spread = f"{min(ratios):.3f} to {max(ratios):.3f}"
    return Figure(f"{what}, page : API ({spread})", median(ratios), "", _GOAL)


def _shown(page: Page, words: str) -> _Pace:
    """What the page says of a reply in a new chat."""
    page.click("#new-chat")
    page.wait_for_function("!document.querySelector('#chat .message-row')")
    page.fill("#box textarea", words)
    page.press("#box textarea", "Enter")
    live = ""
    while page.locator("#chat .bot-row .pace").count() == 0:
        live = page.evaluate("document.querySelector('#live-pace')?.textContent ?? ''") or live
        page.wait_for_timeout(100)
    after, told = _AFTER.search(page.inner_text("#chat .bot-row .pace")), _LIVE.search(live)
    if after is None:
        raise RuntimeError("the page tells of no pace")
    rate = _number(after[1])
    return _Pace(live=_number(told[1]) if told else rate, after=rate, first=_number(after[2]))


def _measured_apart(server: Server, words: str) -> _Pace:
    """On a thread: the one that drives the browser has a loop already."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(_measured(server, words))).result()


async def _measured(server: Server, words: str) -> _Pace:
    async with aiohttp.ClientSession() as session:
        reply = await Client(session, server.api).chat([{"role": "user", "content": words}], _TOKENS)
    rate = (reply.tokens - 1) / sum(reply.gaps)
    return _Pace(live=rate, after=rate, first=reply.first_token_seconds)


def _number(words: str) -> float:
    return float(words.replace(",", ""))
