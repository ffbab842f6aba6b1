"""What embeddings, scores and moderation share: texts → rows of numbers of a leased encoder."""

import asyncio
import struct
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from enum import Enum, auto
from typing import Final, TypeVar

from modules.engine.protocols import Engine
from modules.engine.types import Generation, Prompt
from modules.errors import BadRequest, EngineFailed

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

# So that one long list leaves the queue to others as well.
_AT_A_TIME: Final = 128


class Truncation(Enum):
    """What is left out of a text that is too long; NONE refuses it."""

    NONE = auto()
    START = auto()
    END = auto()


def too_long(tokens: int, most: int, param: str = "input") -> BadRequest:
    """In the words that agents look for."""
    return BadRequest(
        f"This model's maximum context length is {most} tokens, however you requested {tokens} tokens. Shorten the "
        f"{param}, or let it be truncated.",
        param=param,
        code="context_length_exceeded",
    )


def cut(tokens: Sequence[int], room: int, truncation: Truncation) -> Sequence[int]:
    """Raises BadRequest where nothing may be left out."""
    if len(tokens) <= room:
        return tokens
    if truncation is Truncation.NONE:
        raise too_long(len(tokens), room)
    return tokens[:room] if truncation is Truncation.END else tokens[len(tokens) - room :]


async def rows(engine: Engine, generations: Sequence[Generation]) -> list[bytes]:
    """What the encoder computes for each, in their order."""
    return await each(generations, lambda generation: _row(engine, generation))


def embedding(tokens: Sequence[int], *, dimensions: int = 0, is_raw: bool = False) -> Generation:
    return Generation(prompt=Prompt(tuple(tokens)), embedding=dimensions, raw_embedding=is_raw)


async def each(items: Sequence[_Item], act: Callable[[_Item], Awaitable[_Result]]) -> list[_Result]:
    """What `act` makes of each, some at a time; the first failure ends all."""
    gate = asyncio.Semaphore(_AT_A_TIME)

    async def one(item: _Item) -> _Result:
        async with gate:
            return await act(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item)) for item in items]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


async def _row(engine: Engine, generation: Generation) -> bytes:
    async with aclosing(engine.generate(generation)) as chunks:
        async for chunk in chunks:
            if chunk.embedding is not None:
                return chunk.embedding
    raise EngineFailed("The model gave no vector for a text.")


def vector_of(row: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(row) // 4}f", row)
