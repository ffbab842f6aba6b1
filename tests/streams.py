"""Asking engines and reading their streams, for tests of everything that stands on the seam."""

from contextlib import aclosing
from typing import Any

from modules.engine.protocols import Engine
from modules.engine.types import Chunk, Generation, Prompt


def asking(text: str, **fields: Any) -> Generation:
    """What the scripted backend understands: its tokens are the bytes of the text."""
    return Generation(prompt=Prompt(tuple(text.encode())), **fields)


async def chunks_of(engine: Engine, generation: Generation) -> list[Chunk]:
    async with aclosing(engine.generate(generation)) as stream:
        return [chunk async for chunk in stream]


async def whole(engine: Engine, generation: Generation) -> Chunk:
    return Chunk.join(await chunks_of(engine, generation))


async def reply(engine: Engine, text: str, **fields: Any) -> str:
    return (await whole(engine, asking(text, **fields))).text
