"""Stopping what is one's own."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from modules.chat.work import WorkRegister


class Ticker:
    """Yields the numbers that it is given; waits when there are none, and knows when it was closed."""

    def __init__(self) -> None:
        self.numbers: asyncio.Queue[int] = asyncio.Queue()
        self.is_closed = False

    async def stream(self) -> AsyncGenerator[int, None]:
        try:
            while True:
                yield await self.numbers.get()
        finally:
            self.is_closed = True


async def collect(stream: AsyncGenerator[int, None]) -> list[int]:
    return [item async for item in stream]


async def test_stop_ends_a_stream_that_waits() -> None:
    register, ticker = WorkRegister(), Ticker()
    with register.open("me") as work:
        reading = asyncio.create_task(collect(work.until_stopped(ticker.stream())))
        ticker.numbers.put_nowait(1)
        await asyncio.sleep(0)
        assert register.stop("me") == 1
        assert await reading == [1]
    assert ticker.is_closed


async def test_stop_between_two_items_ends_the_stream() -> None:
    register, ticker = WorkRegister(), Ticker()
    for number in (1, 2):
        ticker.numbers.put_nowait(number)
    read = []
    with register.open("me") as work:
        async for number in work.until_stopped(ticker.stream()):
            read.append(number)
            register.stop("me")
            register.stop("me")
    assert read == [1]
    assert ticker.is_closed


async def test_stop_before_the_first_item() -> None:
    register, ticker = WorkRegister(), Ticker()
    with register.open("me") as work:
        register.stop("me")
        assert await collect(work.until_stopped(ticker.stream())) == []


async def test_stop_leaves_others_alone() -> None:
    register, mine, theirs = WorkRegister(), Ticker(), Ticker()
    with register.open("me") as my_work, register.open("you") as your_work:
        my_reading = asyncio.create_task(collect(my_work.until_stopped(mine.stream())))
        your_stream = your_work.until_stopped(theirs.stream())
        theirs.numbers.put_nowait(1)
        assert await anext(your_stream) == 1
        assert register.stop("me") == 1
        assert await my_reading == []
        theirs.numbers.put_nowait(2)
        assert await anext(your_stream) == 2
        await your_stream.aclose()
    assert theirs.is_closed


async def test_stop_counts_only_what_runs() -> None:
    register = WorkRegister()
    with register.open("me"), register.open("me"), register.open("you"):
        assert register.stop("me") == 2
        assert register.stop("nobody") == 0
        assert register.stop_all() == 3
    assert register.stop_all() == 0


async def test_new_work_is_not_stopped_by_an_old_stop() -> None:
    register, ticker = WorkRegister(), Ticker()
    with register.open("me"):
        register.stop("me")
    with register.open("me") as work:
        stream = work.until_stopped(ticker.stream())
        ticker.numbers.put_nowait(1)
        assert await anext(stream) == 1
        await stream.aclose()


async def test_cancelling_the_reader_is_not_a_stop() -> None:
    register, ticker = WorkRegister(), Ticker()
    with register.open("me") as work:
        reading = asyncio.create_task(collect(work.until_stopped(ticker.stream())))
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert ticker.is_closed


async def test_timeout_inside_the_stream_is_passed_on() -> None:
    async def slow() -> AsyncGenerator[int, None]:
        yield 1
        raise TimeoutError("its own")

    with WorkRegister().open("me") as work, pytest.raises(TimeoutError, match="its own"):
        await collect(work.until_stopped(slow()))
