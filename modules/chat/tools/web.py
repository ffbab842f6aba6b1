"""Tools that reach the web when they are chosen: a search by SearXNG, and reading a page."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import aiohttp
from yarl import URL

from modules.chat.attachments.attachments import read_document
from modules.chat.citations import Citation, sources_answer
from modules.chat.tools.base import ToolFailed
from modules.chat.tools.extension import ExtensionTool
from modules.errors import BadRequest
from modules.media.pictures.fetching import RemoteBytes
from modules.messages import ToolSpec

WEB_SEARCH: Final = "web_search"
READ_PAGE: Final = "read_page"
_RESULTS: Final = 5
_MOST_RESULTS: Final = 10
_SEARCH_SECONDS: Final = 15.0
_MAX_ANSWER: Final = 4 * 2**20
_MAX_SNIPPET: Final = 600
# What SearXNG answers where JSON is not among its formats.
_FORBIDDEN: Final = 403
_OK: Final = 200
_MAX_QUERY: Final = 500
# About three thousand tokens; the model asks for the next part where it needs more.
_PART: Final = 12_000
_MAX_PAGE: Final = 2_000_000
_NO_ADDRESS: Final = "No search address is set. The user can enter that of a SearXNG server in Settings, Tools."
_NO_JSON: Final = (
    "The search server does not answer in JSON. In its settings.yml, search: formats must have json in its list."
)


class WebTools:
    """`address` is that of the SearXNG server; empty where there is none. Pages are read from public hosts only."""

    def __init__(self, address: str = "") -> None:
        self.address = address
        self._pages = RemoteBytes()

    @property
    def tools(self) -> tuple[ExtensionTool, ...]:
        return ExtensionTool(_SEARCH_SPEC, self.web_search), ExtensionTool(_PAGE_SPEC, self.read_page)

    async def web_search(self, arguments: dict[str, Any]) -> str:
        """Raises ToolFailed, as both do."""
        query, count = arguments.get("query"), arguments.get("count", _RESULTS)
        if not isinstance(query, str) or not query.strip():
            raise ToolFailed("The argument query is missing; it says what to look for.")
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= _MOST_RESULTS:
            raise ToolFailed(f"The argument count must be a whole number from 1 to {_MOST_RESULTS}.")
        found = list(_results(await _searched(self.address, query[:_MAX_QUERY]), count))
        return sources_answer(found) if found else "Nothing was found. Try other words."

    async def read_page(self, arguments: dict[str, Any]) -> str:
        url, part = arguments.get("url"), arguments.get("part", 1)
        if not isinstance(url, str) or not url.startswith(("https://", "http://")):
            raise ToolFailed("The argument url must be an address that begins with https:// or http://.")
        if not isinstance(part, int) or isinstance(part, bool) or part < 1:
            raise ToolFailed("The argument part must be a whole number from 1 on.")
        return await _page(self._pages, url, part)


async def _searched(address: str, query: str) -> Mapping[str, Any]:
    """The server is the user's own, and may stand in a private network; it is followed nowhere else."""
    if not address:
        raise ToolFailed(_NO_ADDRESS)
    try:
        place = URL(address.rstrip("/")) / "search" % {"q": query, "format": "json"}
        timeout = aiohttp.ClientTimeout(total=_SEARCH_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False) as session,
            session.get(place, allow_redirects=False) as response,
        ):
            content = await _body(response)
    except TimeoutError:
        raise ToolFailed(f"The search server has not answered within {_SEARCH_SECONDS:g} seconds.") from None
    except (aiohttp.ClientError, OSError, ValueError):
        raise ToolFailed("The search server cannot be reached; start it or correct its address in Settings.") from None
    try:
        answer = json.loads(content[:_MAX_ANSWER])
    except (ValueError, RecursionError):
        raise ToolFailed(_NO_JSON) from None
    if not isinstance(answer, dict):
        raise ToolFailed(_NO_JSON)
    return answer


async def _body(response: aiohttp.ClientResponse) -> bytes:
    if response.status == _FORBIDDEN:
        raise ToolFailed(_NO_JSON)
    if response.status != _OK:
        raise ToolFailed(f"The search server answers with status {response.status}.")
    content = b""
    while len(content) <= _MAX_ANSWER and (more := await response.content.read(2**16)):
        content += more
    return content


def _results(answer: Mapping[str, Any], count: int) -> Iterator[Citation]:
    results = answer.get("results")
    number = 0
    for result in results if isinstance(results, list) else ():
        match result:
            case {"url": str() as url, "title": str() as title} if url.startswith(("https://", "http://")):
                snippet = result.get("content")
                number += 1
                text = snippet if isinstance(snippet, str) else ""
                yield Citation(number=number, source=title[:200] or url, url=url, text=text[:_MAX_SNIPPET])
        if number == count:
            return


async def _page(pages: RemoteBytes, url: str, part: int) -> str:
    try:
        content = await pages.get(url, param="url")
        name = URL(url).path.rpartition("/")[2] or "page.html"
        document = await read_document(name, content, most=_MAX_PAGE, is_page=_is_markup(content))
    except BadRequest as error:
        raise ToolFailed(error.message) from None
    parts = max(1, -(-len(document.text) // _PART))
    if part > parts:
        raise ToolFailed(f"The page has {parts} parts only.")
    text = document.text[(part - 1) * _PART : part * _PART]
    title = await asyncio.to_thread(_title, document.text, url)
    return sources_answer([Citation(number=1, source=title, url=url, text=text)], part=part, parts=parts)


def _is_markup(content: bytes) -> bool:
    start = content[:1024].lstrip().lower()
    return start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"<body", b"<!--"))


def _title(text: str, url: str) -> str:
    first = text.partition("\n")[0]
    return first.lstrip("# ")[:200] if first.startswith("# ") else url[:200]


_SEARCH_SPEC: Final = ToolSpec(
    name=WEB_SEARCH,
    description="Searches the web and gives titles, addresses and snippets, with numbers to cite.",
    parameters={
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "What to look for."},
            "count": {
                "type": "integer",
                "description": f"How many results, from 1 to {_MOST_RESULTS}; {_RESULTS} if left out.",
            },
        },
        "required": ["query"],
    },
)
_PAGE_SPEC: Final = ToolSpec(
    name=READ_PAGE,
    description="Reads the text of a public web page or PDF, with a number to cite.",
    parameters={
        "type": "object",
        "properties": {
            "url": {"type": "string", "description": "Its address."},
            "part": {"type": "integer", "description": "Which part of a long page, from 1 on; the first if left out."},
        },
        "required": ["url"],
    },
)
