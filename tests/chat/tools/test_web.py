"""Searching by a SearXNG server of one's own, and reading pages: what is sent, cited, and refused."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from modules.chat.tools.base import ToolFailed
from modules.chat.tools.web import WebTools

RESULTS = [
    {"url": "https://example.org/a", "title": "Clocks", "content": "They tick."},
    {"url": "javascript:alert(1)", "title": "bad", "content": "x"},
    {"title": "no address"},
    "nothing",
    {"url": "https://example.org/b", "title": "Bells", "content": None},
]


class Searx:
    """A SearXNG server as far as its JSON API goes; `answers` is what it says next."""

    def __init__(self) -> None:
        self.address = ""
        self.asked: list[dict[str, str]] = []
        self.status = 200
        self.body = json.dumps({"results": RESULTS})

    async def search(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        return web.Response(status=self.status, text=self.body, headers={"Location": "/elsewhere"})


@pytest_asyncio.fixture
async def searx() -> AsyncIterator[Searx]:
    server = Searx()
    app = web.Application()
    app.router.add_get("/find/search", server.search)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.address = f"http://127.0.0.1:{runner.addresses[0][1]}/find/"
    yield server
    await runner.cleanup()


async def test_results_are_numbered_sources_with_their_addresses(searx: Searx) -> None:
    answer = json.loads(await WebTools(searx.address).web_search({"query": "clocks & bells"}))
    assert searx.asked == [{"q": "clocks & bells", "format": "json"}]
    assert answer["sources"] == [
        {"number": 1, "source": "Clocks", "url": "https://example.org/a", "text": "They tick."},
        {"number": 2, "source": "Bells", "url": "https://example.org/b", "text": ""},
    ]
    one = json.loads(await WebTools(searx.address).web_search({"query": "x", "count": 1}))
    assert len(one["sources"]) == 1


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (403, "", "formats"),
        (302, "", "status 302"),
        (500, "", "status 500"),
        (200, "<html>", "formats"),
        (200, "[]", "formats"),
    ],
)
async def test_a_server_that_answers_otherwise_says_what_to_do(
    searx: Searx, status: int, body: str, words: str
) -> None:
    searx.status, searx.body = status, body
    with pytest.raises(ToolFailed, match=words):
        await WebTools(searx.address).web_search({"query": "x"})


async def test_without_an_address_nothing_is_sent() -> None:
    with pytest.raises(ToolFailed, match="No search address"):
        await WebTools().web_search({"query": "x"})


@pytest.mark.parametrize("arguments", [{}, {"query": " "}, {"query": 3}, {"query": "x", "count": 99}])
async def test_searches_for_nothing_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ToolFailed):
        await WebTools("http://127.0.0.1:1").web_search(arguments)


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.org/x",
        "http://127.0.0.1:{port}/find/search",
        "http://localhost:{port}/find/search",
        "http://[::ffff:127.0.0.1]:{port}/find/search",
        "http://user@127.0.0.1:{port}/find/search",
        "http://2130706433:{port}/find/search",
        "http://169.254.169.254/latest",
        "gopher://example.org",
    ],
)
async def test_pages_of_private_networks_are_never_asked(searx: Searx, url: str) -> None:
    port = searx.address.split(":")[2].split("/")[0]
    with pytest.raises(ToolFailed):
        await WebTools(searx.address).read_page({"url": url.format(port=port)})
    assert searx.asked == []


@pytest.mark.parametrize("part", [0, "x", True])
async def test_parts_are_whole_numbers(part: object) -> None:
    with pytest.raises(ToolFailed, match="whole number"):
        await WebTools().read_page({"url": "https://example.org", "part": part})
