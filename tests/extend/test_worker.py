"""An extension's thread: in order, cancellable, and never in the way of the program's end."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from modules.extend.worker import ExtensionThread


async def test_calls_run_in_order_on_one_thread() -> None:
    worker = ExtensionThread("x")
    idents = await asyncio.gather(*(worker.call(threading.get_ident) for _ in range(5)))
    assert len(set(idents)) == 1
    assert idents[0] != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        await worker.call(lambda: 1 // 0)
    await worker.aclose()
    assert await worker.call(threading.get_ident)
    await worker.aclose()


async def test_what_waits_can_be_cancelled() -> None:
    worker, gate, calls = ExtensionThread("x"), threading.Event(), []
    first = asyncio.create_task(worker.call(gate.wait))
    second = asyncio.create_task(worker.call(lambda: calls.append(2)))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([second])
    gate.set()
    await first
    await worker.call(lambda: calls.append(3))
    assert calls == [3]
    await worker.aclose()


async def test_closing_the_stream_closes_the_generator() -> None:
    worker, closed = ExtensionThread("x"), []

    def numbers() -> Iterator[int]:
        try:
            yield from range(100)
        finally:
            closed.append(threading.current_thread().name)

    stream = worker.iterate(numbers)
    assert [await anext(stream), await anext(stream)] == [0, 1]
    await stream.aclose()
    assert closed == ["extension x"]
    assert [number async for number in worker.iterate(lambda: iter((1, 2)))] == [1, 2]
    await worker.aclose()
