"""Several generations, for n choices or many prompts, as one stream."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from modules.engine.protocols import Engine
from modules.engine.types import Chunk, Generation

_Numbered = tuple[int, Chunk]


def _never(_index: int) -> bool:
    return False


async def gather_streams(
    engine: Engine, generations: Sequence[Generation], is_over: Callable[[int], bool] = _never
) -> AsyncGenerator[_Numbered, None]:
    """Yields (index of the generation, its next chunk) as they come; the first error ends all. A generation of which
    the listener says that it `is_over` is closed when its next chunk comes.

    One request keeps at most the engine's own number of parallel jobs open, so that a long list of prompts
    fills neither the queue nor anybody else's turn.
    """
    if len(generations) == 1:
        async with aclosing(engine.generate(generations[0])) as stream:
            async for chunk in stream:
                yield 0, chunk
                if is_over(0):
                    return
        return
    async with aclosing(_merged(engine, generations, is_over)) as merged:
        async for item in merged:
            yield item


async def _merged(
    engine: Engine, generations: Sequence[Generation], is_over: Callable[[int], bool]
) -> AsyncGenerator[_Numbered, None]:
    arrivals: asyncio.Queue[_Numbered | None] = asyncio.Queue()
    places = asyncio.Semaphore(max(1, engine.card.parallel))
    pumps = asyncio.create_task(_pump_all(engine, generations, is_over, places, arrivals))
    try:
        while (item := await arrivals.get()) is not None:
            yield item
        await _unwrapped(pumps)
    finally:
        pumps.cancel()
        await asyncio.wait([pumps])


async def _pump_all(
    engine: Engine,
    generations: Sequence[Generation],
    is_over: Callable[[int], bool],
    places: asyncio.Semaphore,
    arrivals: asyncio.Queue[_Numbered | None],
) -> None:
    async def pump(index: int, generation: Generation) -> None:
        async with places, aclosing(engine.generate(generation)) as stream:
            async for chunk in stream:
                if is_over(index):
                    return
                arrivals.put_nowait((index, chunk))

    try:
        async with asyncio.TaskGroup() as group:
            for index, generation in enumerate(generations):
                group.create_task(pump(index, generation))
    finally:
        arrivals.put_nowait(None)


async def _unwrapped(pumps: "asyncio.Task[None]") -> None:
    """Raise what went wrong first, as itself and not as a group."""
    try:
        await pumps
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None
