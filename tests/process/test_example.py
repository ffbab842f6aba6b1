"""A media engine on the process host, as one is written: what it says of itself, streams, refuses, and gives back."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import psutil
import pytest

from modules.errors import BadRequest
from modules.process.client import ProcessClient
from modules.process.limits import ProcessLimits
from modules.process.spec import ErrorOutput, ProcessSpec
from tests.process.tone_child import RATE, MakeTone, Samples


class ToneEngine:
    """Makes tones in a process of its own."""

    def __init__(self) -> None:
        spec = ProcessSpec(
            name="the tone engine",
            entry="tests.process.tone_child:run",
            limits=ProcessLimits(memory_bytes=2**30, is_resident=True, niceness=5),
            error_output=ErrorOutput.LOG,
            cancel_seconds=10,
        )
        self._client: ProcessClient[Samples] = ProcessClient(spec, answers=Samples)

    async def start(self) -> None:
        await self._client.start()

    @property
    def pid(self) -> int:
        return self._client.pid

    async def tone(self, hertz: float, seconds: int) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._client.stream(MakeTone(hertz, seconds), seconds=60)) as pieces:
            async for piece in pieces:
                yield piece.data

    async def aclose(self) -> None:
        await self._client.aclose()


async def test_an_engine_streams_refuses_and_gives_everything_back() -> None:
    engine = ToneEngine()
    await engine.start()
    async with aclosing(engine.tone(440, 2)) as pieces:
        sound = b"".join([piece async for piece in pieces])
    assert len(sound) == 2 * RATE * 2
    with pytest.raises(BadRequest, match="20,000"):
        await anext(engine.tone(1, 1))
    async with aclosing(engine.tone(440, 10_000)) as endless:
        assert await anext(endless)
    await engine.aclose()
    assert not psutil.pid_exists(engine.pid)
