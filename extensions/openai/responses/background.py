"""Responses that go on without their caller: each a task, whose events its owner may follow while they are kept."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Final

from extensions.openai.common.waiting import end, stopped, unless
from extensions.openai.responses.bodies import ResponseObject
from extensions.openai.responses.exchange import Exchange
from extensions.openai.responses.failures import failure_event
from extensions.openai.responses.wire import Wire
from modules.errors import Busy

MAX_RUNNING: Final = 64
FOLLOWED_SECONDS: Final = 300


class Run:
    """One response under way. Its event number i is `frames[i]`."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.frames: list[bytes] = []
        self.is_over = False
        self._news = asyncio.Event()

    @property
    def response(self) -> ResponseObject:
        return self.exchange.stream.response

    def add(self, frames: bytes) -> None:
        """One or more whole events."""
        self.frames += [frame + b"\n\n" for frame in frames.split(b"\n\n") if frame]
        self._news.set()

    def end(self) -> None:
        self.is_over = True
        self._news.set()

    def broken_off(self, error: Exception) -> bytes:
        """What a follower is told who cannot be told the rest."""
        return failure_event(Wire(len(self.frames)), error)

    async def follow(self, after: int) -> AsyncGenerator[bytes, None]:
        """The events with numbers above `after`, to the end."""
        position = after + 1
        while True:
            if news := self.frames[position:]:
                position += len(news)
                yield b"".join(news)
            elif self.is_over:
                return
            else:
                self._news.clear()
                await self._news.wait()


class Backgrounds:
    """Every run, and for a while those that are over. `answer` gives a response's events, `keep` stores it."""

    def __init__(
        self,
        answer: Callable[[Exchange], AsyncGenerator[bytes, None]],
        keep: Callable[[Exchange], Awaitable[None]],
        closing: asyncio.Event,
    ) -> None:
        self._answer = answer
        self._keep = keep
        self._closing = closing
        self._runs: dict[str, Run] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, exchange: Exchange) -> Run:
        """Raises Busy when too many are under way."""
        if len(self._tasks) >= MAX_RUNNING:
            raise Busy("Too many responses are being made in the background. Try again later.")
        run = Run(exchange)
        run.add(exchange.stream.begin())
        self._runs[run.response.id] = run
        self._tasks[run.response.id] = asyncio.create_task(self._carry(run))
        return run

    def find(self, response_id: str, owner: str) -> Run | None:
        run = self._runs.get(response_id)
        return run if run is not None and run.exchange.owner == owner else None

    async def cancel(self, run: Run) -> None:
        """Returns when it is over, as cancelled if it was not over before."""
        if task := self._tasks.get(run.response.id):
            await end(task)

    def forget(self, run: Run) -> None:
        self._runs.pop(run.response.id, None)

    async def _carry(self, run: Run) -> None:
        stream = run.exchange.stream
        try:
            await unless(self._listen(run), stopped(self._closing))
        except asyncio.CancelledError:
            stream.cancel()
            await self._keep(run.exchange)
        except Exception as error:  # noqa: BLE001 - whatever broke, the response tells of it
            run.add(stream.fail(error))
            await self._keep(run.exchange)
        finally:
            run.end()
            del self._tasks[run.response.id]
            asyncio.get_running_loop().call_later(FOLLOWED_SECONDS, self.forget, run)

    async def _listen(self, run: Run) -> None:
        async with aclosing(self._answer(run.exchange)) as frames:
            async for frame in frames:
                run.add(frame)
