"""Two copies of the program behind a third one: one of them is killed under fifty streams."""

import asyncio
import signal
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.live.client import DONE, ask, delta_of, error_of, says, streaming, text_of
from tests.live.server import LiveServer, launch

pytestmark = pytest.mark.live

STREAMS = 50
# No reply ends by itself before all have begun, however slow the machine is.
LETTERS = 4000
# So many letters after all replies of the killed server have ended show that a reply goes on.
FURTHER = 3
_SCRIPTED = ("--nowebui", "--loader", "scripted", "--model", "scripted", "--parallel", 32)


async def _started(folder: Path, *flags: object) -> LiveServer:
    await asyncio.to_thread(folder.mkdir)
    server = launch(folder, "--nowebui", *flags)
    await server.until_listening()
    await server.until_healthy()
    return server


@dataclass(slots=True)
class _Streams:
    """What the replies of a test wait for: that all have begun, that one server was killed, that its replies have ended."""

    begun: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    killed: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    others_ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def reply(self, http: httpx.AsyncClient) -> tuple[str, bool]:
        """What a stream said, and whether it went on after the replies of the killed server had ended."""
        said, further, has_begun = "", 0, False
        async with streaming(http, says(f"slow {LETTERS}", model="two/scripted", max_tokens=LETTERS)) as events:
            async for event in events:
                if event == DONE or error_of(event) is not None:
                    break
                if not has_begun:
                    has_begun = True
                    self.begun.release()
                    await self.killed.wait()
                said += delta_of(event)
                further += self.others_ended.is_set()
                if further > FURTHER:
                    return said, True
        self.ended.release()
        return said, False


async def test_upstream_that_is_killed_loses_its_own_replies_only(tmp_path: Path) -> None:
    first = await _started(tmp_path / "a", *_SCRIPTED)
    second = await _started(tmp_path / "b", *_SCRIPTED)
    front = await _started(tmp_path / "c", "--upstream", f"two={first.url}/v1,{second.url}/v1")
    try:
        streams = _Streams()
        async with front.client() as http:
            replies = [asyncio.create_task(streams.reply(http)) for _ in range(STREAMS)]
            for _ in replies:
                await streams.begun.acquire()
            first.send_signal(signal.SIGKILL, to_group=True)
            streams.killed.set()
            for _ in range(STREAMS // 2):
                await streams.ended.acquire()
            streams.others_ended.set()
            outcomes = await asyncio.gather(*replies)
            expected = "abcdefghijklmnopqrstuvwxyz" * LETTERS
            assert [goes_on for _, goes_on in outcomes].count(True) == STREAMS // 2
            assert all(expected.startswith(said) for said, _ in outcomes)
            answers = await asyncio.gather(*(ask(http, says("echo: on", model="two/scripted")) for _ in range(8)))
            assert {text_of(answer) for answer in answers} == {"on"}
        await front.stop()
        await second.stop()
    finally:
        for server in (first, second, front):
            server.kill()
