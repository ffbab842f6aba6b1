"""Texts → vectors, with an embedding model that the pool has loaded."""

import asyncio
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from modules.engine.protocols import Engine
from modules.engine.types import ModelKind
from modules.errors import BadRequest
from modules.media.cl100k import Cl100k
from modules.media.texts import Truncation, cut, each, embedding, rows
from modules.models.pool import ModelPool

TextOrIds: TypeAlias = str | tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRequest:
    """`inputs` are texts or token ids. `dimensions` None keeps all numbers of a vector. `prompt` goes before each
    text, and so does the model's own of the name `prompt_name`, if it has one."""

    model: str | None
    inputs: tuple[TextOrIds, ...]
    dimensions: int | None = None
    keep_alive: float | None = None
    truncation: Truncation = Truncation.END
    is_raw: bool = False
    prompt: str = ""
    prompt_name: str = ""


@dataclass(frozen=True, slots=True)
class Embeddings:
    """One vector for each input, of length 1 if they are not raw, as little-endian 32-bit floats. `cut_inputs` were longer
    than the model reads; `prompt_tokens` counts what was read."""

    model: str
    vectors: tuple[bytes, ...]
    prompt_tokens: int
    cut_inputs: int = 0


class EmbeddingService:
    """With `own_ids` token ids are the model's, else those of cl100k_base, which clients take for every model."""

    def __init__(self, models: ModelPool, *, own_ids: bool = False) -> None:
        self._models = models
        self._own_ids = own_ids

    async def embed(self, request: EmbeddingRequest) -> Embeddings:
        """Raises BadRequest, NotInstalled, LoadFailed, NoRoom, Busy, EngineFailed."""
        keep_alive = request.keep_alive
        async with self._models.lease(request.model, kind=ModelKind.EMBEDDING, keep_alive=keep_alive) as engine:
            size = engine.card.embedding_size
            if (request.dimensions or 0) > size:
                raise BadRequest(
                    f"dimensions can be {size} at most: vectors of {engine.card.name} have {size} numbers.",
                    param="dimensions",
                )
            begin, end = engine.card.embedding_frame
            room = engine.card.context - len(begin) - len(end)
            prefix = request.prompt or dict(engine.card.embedding_prompts).get(request.prompt_name, "")
            tokens = await each(request.inputs, lambda item: self._tokens(engine, item, prefix))
            read = [cut(text, room, request.truncation) for text in tokens]
            dimensions, is_raw = request.dimensions or 0, request.is_raw
            framed = [embedding((*begin, *text, *end), dimensions=dimensions, is_raw=is_raw) for text in read]
            vectors = await rows(engine, framed)
            return Embeddings(
                model=engine.card.name,
                vectors=tuple(vectors),
                prompt_tokens=sum(len(job.prompt.tokens) for job in framed),
                cut_inputs=sum(len(text) > room for text in tokens),
            )

    async def _tokens(self, engine: Engine, item: TextOrIds, prefix: str) -> list[int]:
        if not isinstance(item, str):
            if self._own_ids:
                return list(item)
            item = (await asyncio.to_thread(lambda: self._cl100k)).text(item)
        return await engine.tokenize(prefix + item, special=False)

    @cached_property
    def _cl100k(self) -> Cl100k:
        return Cl100k()
