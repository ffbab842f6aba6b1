"""Two tabs of the page and five API clients at once: every reply belongs to its own question, and none is lost.

`PAGE_TURNS=300 pytest tests/live/test_page_side_by_side.py` has each of them ask three hundred times; it is ten else.
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.live.client import ask, delta_of, expect_right_answer, rest_of, says, streaming, text_of
from tests.live.page_server import SCRIPTED, SHORT_REPLIES, page_client, page_server, real_model
from tests.live.server import LiveServer
from tests.ui.wire import Tab, new_tab

TURNS: Final = int(os.environ.get("PAGE_TURNS", "10"))
# Those of a real model take longer.
REAL_TURNS: Final = max(2, TURNS // 5)
TABS, CLIENTS = 2, 5

pytestmark = [pytest.mark.live, pytest.mark.model, pytest.mark.slow, pytest.mark.timeout(240 + 10 * TURNS)]
Turn = Callable[[int], Awaitable[None]]


async def test_marked_replies_never_cross(tmp_path: Path) -> None:
    """The scripted backend says back what it was told, so any word of another's would be seen."""
    async with page_server(tmp_path, *SCRIPTED, "--parallel", 4) as server, server.client() as api:
        async with page_client(server) as page, new_tab(page) as first, new_tab(page) as second:
            await second.act("new-chat", "click")
            turns = [_marked_tab(first, "left"), _marked_tab(second, "right")]
            turns += [_marked_client(api, f"client{number}") for number in range(CLIENTS)]
            await _repeated(turns, TURNS)
            for tab, name in ((first, "left"), (second, "right")):
                assert tab.words == _told(name, TURNS)
                assert _saved(tmp_path, name) == _told(name, TURNS)
        _expect_quiet(server)


@pytest.mark.extended
async def test_a_real_model_serves_all_of_them(tmp_path: Path) -> None:
    flags = (*real_model(), "--parallel", 4)
    async with page_server(tmp_path, *flags, settings=SHORT_REPLIES) as server, server.client() as api:
        async with page_client(server) as page, new_tab(page) as first, new_tab(page) as second:
            await second.act("new-chat", "click")
            turns = [_talking_tab(first, "north"), _talking_tab(second, "south")]
            turns += [_right_client(api, 1000 * (number + 1)) for number in range(CLIENTS)]
            await _repeated(turns, REAL_TURNS)
            for tab, name in ((first, "north"), (second, "south")):
                questions = [_question(name, number) for number in range(REAL_TURNS)]
                assert tab.words[::2] == questions
                assert all(tab.words[1::2])
                assert _saved(tmp_path, name) == tab.words
        _expect_quiet(server)


async def _repeated(turns: list[Turn], count: int) -> None:
    """Each takes its turns one after the other, all of them at once."""

    async def again(turn: Turn) -> None:
        for number in range(count):
            await turn(number)

    async with asyncio.TaskGroup() as group:
        for turn in turns:
            group.create_task(again(turn))


def _told(name: str, count: int) -> list[str]:
    return [words for number in range(count) for words in (f"echo: {name} says {number}", f"{name} says {number}")]


def _question(name: str, number: int) -> str:
    return f"Say one short sentence about the {name}, number {number}."


def _marked_tab(tab: Tab, name: str) -> Turn:
    async def turn(number: int) -> None:
        assert await tab.ask(f"echo: {name} says {number}") == f"{name} says {number}"

    return turn


def _marked_client(http: httpx.AsyncClient, name: str) -> Turn:
    async def turn(number: int) -> None:
        body = says(f"echo: {name} says {number}")
        if number % 2:
            assert text_of(await ask(http, body)) == f"{name} says {number}"
            return
        async with streaming(http, body) as events:
            assert "".join(delta_of(event) for event in await rest_of(events)) == f"{name} says {number}"

    return turn


def _talking_tab(tab: Tab, name: str) -> Turn:
    async def turn(number: int) -> None:
        assert await tab.ask(_question(name, number))
        assert len(tab.words) == 2 * (number + 1)

    return turn


def _right_client(http: httpx.AsyncClient, first: int) -> Turn:
    async def turn(number: int) -> None:
        # So small a model repeats some numbers wrongly, also when nobody else asks; these it knows.
        await expect_right_answer(http, first + number % 15)

    return turn


def _saved(folder: Path, name: str) -> list[str]:
    """The one chat on disk in which `name` occurs."""
    chats = [json.loads(path.read_text()) for path in (folder / "logs").rglob("*.json") if path.name != "state.json"]
    (found,) = (chat["internal"] for chat in chats if "internal" in chat and name in json.dumps(chat["internal"]))
    return [words for row in found for words in row]


def _expect_quiet(server: LiveServer) -> None:
    assert "Traceback" not in server.log
