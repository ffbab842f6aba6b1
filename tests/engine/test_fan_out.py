"""Several generations as one stream: all arrive, the first error ends all, and leaving leaves nothing behind."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

import pytest

from modules.engine.fan_out import gather_streams
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Chunk, Finish, Generation, MediaShape, ModelCard
from modules.errors import BadRequest, EngineFailed
from tests.scripted import scripted_card, scripted_engine, scripted_spec
from tests.streams import asking, reply


class OpenCount:
    """An engine, and how many streams it had open at once."""

    def __init__(self, engine: ThreadedEngine) -> None:
        self._engine = engine
        self.open = 0
        self.most = 0

    @property
    def card(self) -> ModelCard:
        return self._engine.card

    @property
    def is_alive(self) -> bool:
        return self._engine.is_alive

    async def generate(self, generation: Generation) -> AsyncGenerator[Chunk, None]:
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            async with aclosing(self._engine.generate(generation)) as stream:
                async for chunk in stream:
                    yield chunk
        finally:
            self.open -= 1

    async def tokenize(self, text: str, *, special: bool) -> list[int]:
        return await self._engine.tokenize(text, special=special)

    async def detokenize(self, tokens: Sequence[int]) -> str:
        return await self._engine.detokenize(tokens)

    async def media_tokens(self, shape: MediaShape) -> list[int]:
        return await self._engine.media_tokens(shape)

    async def aclose(self) -> None:
        await self._engine.aclose()


async def texts_of(engine: ThreadedEngine | OpenCount, generations: list[Generation]) -> list[str]:
    texts = [""] * len(generations)
    finished: set[int] = set()
    async with aclosing(gather_streams(engine, generations)) as stream:
        async for index, chunk in stream:
            assert index not in finished
            texts[index] += chunk.text
            if chunk.finish is not None:
                finished.add(index)
    assert finished == set(range(len(generations)))
    return texts


@pytest.mark.parametrize("count", [1, 2, 7])
async def test_every_generation_arrives_under_its_own_number(count: int) -> None:
    async with scripted_engine(scripted_spec(parallel=4)) as engine:
        expected = [f"answer {number}" for number in range(count)]
        assert await texts_of(engine, [asking(f"echo: {text}") for text in expected]) == expected


async def test_a_long_list_keeps_no_more_open_than_run_at_once() -> None:
    async with scripted_engine(scripted_spec(parallel=3)) as engine:
        counted = OpenCount(engine)
        await texts_of(counted, [asking(f"echo: {number}") for number in range(20)])
    assert (counted.most, counted.open) == (3, 0)


async def test_pieces_come_as_they_are_made() -> None:
    async with (
        scripted_engine() as engine,
        aclosing(gather_streams(engine, [asking("stall"), asking("echo: b")])) as all_,
    ):
        async for index, chunk in all_:
            if index == 1 and chunk.finish is Finish.STOP:
                break


@pytest.mark.parametrize("others", [0, 3])
async def test_the_first_error_ends_all_as_itself(others: int) -> None:
    before = asyncio.all_tasks()
    async with scripted_engine() as engine:
        counted = OpenCount(engine)
        with pytest.raises(BadRequest):
            await texts_of(counted, [asking("stall")] * others + [asking("")])
        assert counted.open == 0
        assert await reply(engine, "echo: unharmed") == "unharmed"
    assert asyncio.all_tasks() == before


async def test_a_failing_engine_is_told_as_it_is() -> None:
    async with scripted_engine() as engine:
        with pytest.raises(EngineFailed):
            await texts_of(engine, [asking("stall"), asking("fail")])


@pytest.mark.parametrize("count", [1, 4])
async def test_leaving_early_cancels_all_and_leaves_no_task(count: int) -> None:
    before = asyncio.all_tasks()
    async with scripted_engine(scripted_spec(parallel=4)) as engine:
        counted = OpenCount(engine)
        async with aclosing(gather_streams(counted, [asking("stall")] * count)) as stream:
            await anext(stream)
        assert counted.open == 0
        assert asyncio.all_tasks() == before
        # All places are free again.
        assert await asyncio.gather(*(reply(engine, "echo: x") for _ in range(4))) == ["x"] * 4


async def test_nothing_asked_nothing_answered() -> None:
    assert scripted_card().parallel > 0
    async with scripted_engine() as engine:
        assert await texts_of(engine, []) == []
