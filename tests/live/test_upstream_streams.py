"""Many streams through two copies of the program: each is letter for letter what it is alone, while servers come and go."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.live.client import DONE, ask, delta_of, error_of, finish_of, says, streaming, text_of
from tests.live.server import LiveServer, launch

pytestmark = [pytest.mark.live, pytest.mark.extended, pytest.mark.timeout(300)]

STREAMS = 50
_SCRIPTED = ("--nowebui", "--loader", "scripted", "--model", "scripted", "--parallel", 32)
# Replies of their own lengths, none of which any other contains.
ASKED = [f"echo: stream {number} says {'word ' * (3 * number)}and ends" for number in range(STREAMS)]


@dataclass(slots=True)
class Trio:
    """`front` stands before `first` and `second`."""

    first: LiveServer
    second: LiveServer
    front: LiveServer


@asynccontextmanager
async def trio(folder: Path) -> AsyncIterator[Trio]:
    first, second = await _started(folder / "a", *_SCRIPTED), await _started(folder / "b", *_SCRIPTED)
    front = await _started(folder / "c", "--upstream", f"two={first.url}/v1,{second.url}/v1")
    try:
        yield Trio(first, second, front)
    finally:
        for server in (front, first, second):
            server.kill()


async def _started(folder: Path, *flags: object) -> LiveServer:
    await asyncio.to_thread(folder.mkdir)
    server = launch(folder, "--nowebui", *flags)
    await server.until_listening()
    await server.until_healthy()
    return server


async def _streamed(http: httpx.AsyncClient, words: str) -> tuple[str, bool, list[str]]:
    """What was said, whether an error ended it, and the reasons for its end."""
    said, failed, events = "", False, []
    async with streaming(http, says(words, model="two/scripted", max_tokens=4000)) as stream:
        async for event in stream:
            failed = failed or error_of(event) is not None
            if event != DONE and not failed:
                said += delta_of(event)
                events.append(event)
    return said, failed, finish_of(events)


async def test_fifty_streams_are_what_each_is_alone(tmp_path: Path) -> None:
    async with trio(tmp_path) as servers, servers.front.client() as http, servers.first.client() as direct:
        alone = [text_of(await ask(direct, says(words, max_tokens=4000))) for words in ASKED]
        for _ in range(3):
            outcomes = await asyncio.gather(*(_streamed(http, words) for words in ASKED))
            assert [said.strip() for said, _, _ in outcomes] == alone
            assert [(failed, reasons) for _, failed, reasons in outcomes] == [(False, ["stop"])] * STREAMS
            whole = await asyncio.gather(*(ask(http, says(words, model="two/scripted")) for words in ASKED[:5]))
            assert [text_of(answer) for answer in whole] == alone[:5]


async def test_every_reply_ends_right_or_with_an_error_while_a_server_dies(tmp_path: Path) -> None:
    """One of two servers is killed under fifty streams that go on to their ends: each is whole, or a beginning of what it
    is alone and then an error; no more are lost than the killed server had, and none that began afterwards."""
    async with trio(tmp_path) as servers, servers.front.client() as http:
        # The letters of all replies of a server come one after the other, each 20 ms after the last.
        expected = ("abcdefghijklmnopqrstuvwxyz" * 2)[:50]
        begun = asyncio.Semaphore(0)

        async def slow() -> tuple[str, bool]:
            said, failed = "", False
            async with streaming(http, says("slow 50", model="two/scripted", max_tokens=99)) as stream:
                async for event in stream:
                    if not said:
                        begun.release()
                    failed = failed or error_of(event) is not None
                    said += "" if event == DONE or failed else delta_of(event)
            return said, failed

        replies = [asyncio.create_task(slow()) for _ in range(STREAMS)]
        for _ in replies:
            await begun.acquire()
        servers.first.send_signal(signal.SIGKILL, to_group=True)
        later = await asyncio.gather(*(_streamed(http, words) for words in ASKED[:10]))
        outcomes = await asyncio.gather(*replies)
        # Some of its replies may have ended before.
        assert 0 < [failed for _, failed in outcomes].count(True) <= STREAMS // 2
        assert all(said == expected for said, failed in outcomes if not failed)
        assert all(expected.startswith(said) and said for said, failed in outcomes if failed)
        assert [(failed, reasons) for _, failed, reasons in later] == [(False, ["stop"])] * 10
