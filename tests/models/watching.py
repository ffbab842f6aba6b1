"""What tests of the model manager wait for and ask."""

import asyncio
from contextlib import aclosing

from modules.engine.protocols import Engine
from modules.engine.types import Generation, Prompt
from modules.models.options import LoadOptions
from modules.models.pool import ModelPool
from modules.models.state import Status

PLAIN = LoadOptions()


async def until(manager: ModelPool, status: Status) -> None:
    async with asyncio.timeout(10), aclosing(manager.changes()) as changes:
        async for _ in changes:
            if manager.state.status is status:
                return


async def say(engine: Engine, words: str) -> str:
    generation = Generation(prompt=Prompt(tuple(words.encode())))
    async with aclosing(engine.generate(generation)) as chunks:
        return "".join([chunk.text async for chunk in chunks])
