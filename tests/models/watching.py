"""What tests of the model manager wait for and ask."""

import asyncio
from contextlib import aclosing

from modules.engine.protocols import Engine
from modules.engine.types import Generation, Prompt
from modules.models.options import LoadOptions
from modules.models.pool import ModelPool
from modules.models.state import ModelState, Status

PLAIN = LoadOptions()
A, B, C, D = "a.gguf", "b.gguf", "c.gguf", "d.gguf"


async def until(manager: ModelPool, status: Status) -> None:
    async with asyncio.timeout(10), aclosing(manager.changes()) as changes:
        async for _ in changes:
            if manager.state.status is status:
                return


async def say(engine: Engine, words: str) -> str:
    generation = Generation(prompt=Prompt(tuple(words.encode())))
    async with aclosing(engine.generate(generation)) as chunks:
        return "".join([chunk.text async for chunk in chunks])


async def answerer(pool: ModelPool, name: str | None, words: str = "echo: hi") -> str:
    async with pool.lease(name) as engine:
        await say(engine, words)
        return engine.card.name


def loaded(pool: ModelPool) -> set[str | None]:
    return {state.name for state in pool.models if state.status is Status.READY}


async def until_loaded(pool: ModelPool, *names: str) -> None:
    async with asyncio.timeout(10), aclosing(pool.changes()) as changes:
        async for _ in changes:
            if loaded(pool) == set(names):
                return


def state_of(pool: ModelPool, name: str) -> ModelState:
    return next(state for state in pool.models if state.name == name)
