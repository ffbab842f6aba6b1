"""Two copies of the program behind a third one: one of them is killed under fifty streams."""

import asyncio
import signal
from pathlib import Path

import httpx
import pytest

from tests.live.client import DONE, ask, delta_of, error_of, says, streaming, text_of
from tests.live.server import LiveServer, launch

pytestmark = pytest.mark.live

STREAMS = 50
# A letter of all twenty-five replies of a server takes it half a second, so none ends before all have begun.
EXPECTED = "abcdefghijkl"
_SCRIPTED = ("--nowebui", "--loader", "scripted", "--model", "scripted", "--parallel", 32)


async def _started(folder: Path, *flags: object) -> LiveServer:
    await asyncio.to_thread(folder.mkdir)
    server = launch(folder, "--nowebui", *flags)
    await server.until_listening()
    await server.until_healthy()
    return server


async def _reply(http: httpx.AsyncClient, begun: asyncio.Semaphore, go_on: asyncio.Event) -> tuple[str, bool]:
    """What a stream said, and whether it ended well. It is read on when all have begun."""
    body = says(f"slow {len(EXPECTED)}", model="two/scripted")
    async with streaming(http, body) as events:
        said = delta_of(await anext(events))
        begun.release()
        await go_on.wait()
        async for event in events:
            if event == DONE:
                return said, True
            if error_of(event) is not None:
                return said, False
            said += delta_of(event)
    return said, False


async def test_upstream_that_is_killed_loses_its_own_replies_only(tmp_path: Path) -> None:
    first = await _started(tmp_path / "a", *_SCRIPTED)
    second = await _started(tmp_path / "b", *_SCRIPTED)
    front = await _started(tmp_path / "c", "--upstream", f"two={first.url}/v1,{second.url}/v1")
    try:
        begun, go_on = asyncio.Semaphore(0), asyncio.Event()
        async with front.client() as http:
            replies = [asyncio.create_task(_reply(http, begun, go_on)) for _ in range(STREAMS)]
            for _ in replies:
                await begun.acquire()
            first.send_signal(signal.SIGKILL, to_group=True)
            go_on.set()
            outcomes = await asyncio.gather(*replies)
            whole = [said for said, is_whole in outcomes if is_whole]
            cut = [said for said, is_whole in outcomes if not is_whole]
            assert (len(whole), len(cut)) == (STREAMS // 2, STREAMS // 2)
            assert set(whole) == {EXPECTED}
            assert all(EXPECTED.startswith(said) for said in cut)
            answers = await asyncio.gather(*(ask(http, says("echo: on", model="two/scripted")) for _ in range(8)))
            assert {text_of(answer) for answer in answers} == {"on"}
        await front.stop()
        await second.stop()
    finally:
        for server in (first, second, front):
            server.kill()
