"""Texts → vectors, by an embedding model that the pool has loaded."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

from modules.engine.protocols import Engine
from modules.engine.types import Generation, ModelKind, Prompt
from modules.errors import BadRequest, EngineFailed
from modules.models.pool import ModelPool

Text: TypeAlias = str | tuple[int, ...]
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

# So that one long list leaves the queue to others as well.
_AT_A_TIME: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRequest:
    """`inputs` are texts, or token ids of the model. `dimensions` None keeps all numbers of a vector."""

    model: str | None
    inputs: tuple[Text, ...]
    dimensions: int | None = None
    keep_alive: float | None = None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector for each input, of length 1, as little-endian 32-bit floats."""

    model: str
    vectors: tuple[bytes, ...]
    prompt_tokens: int


class EmbeddingService:
    def __init__(self, models: ModelPool) -> None:
        self._models = models

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Raises BadRequest, ContextTooLong, NotLoaded, LoadFailed, NoRoom, Busy, EngineFailed."""
        kind = ModelKind.EMBEDDING
        async with self._models.lease(request.model, kind=kind, keep_alive=request.keep_alive) as engine:
            size = engine.card.embedding_size
            if (request.dimensions or 0) > size:
                raise BadRequest(f"dimensions can be {size} at most with {engine.card.name}.", param="dimensions")
            prompts = await _each(request.inputs, lambda text: _prompt(engine, text))
            vectors = await _each(prompts, lambda prompt: _vector(engine, prompt, request.dimensions or 0))
            return Embeddings(engine.card.name, tuple(vectors), sum(len(prompt.tokens) for prompt in prompts))


async def _prompt(engine: Engine, text: Text) -> Prompt:
    begin, end = engine.card.embedding_frame
    tokens = await engine.tokenize(text, special=False) if isinstance(text, str) else text
    return Prompt((*begin, *tokens, *end))


async def _vector(engine: Engine, prompt: Prompt, dimensions: int) -> bytes:
    async with aclosing(engine.generate(Generation(prompt=prompt, embedding=dimensions))) as chunks:
        async for chunk in chunks:
            if chunk.embedding is not None:
                return chunk.embedding
    raise EngineFailed("The model returned no embedding for a text.")


async def _each(items: Sequence[_Item], act: Callable[[_Item], Awaitable[_Result]]) -> list[_Result]:
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
