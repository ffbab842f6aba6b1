"""The user's collections of documents: what there is, keeping the index in step, and searching it."""

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from modules.engine.types import ModelKind
from modules.errors import NotInstalled, ServiceError
from modules.knowledge.indexing import IndexProgress, KnowledgeIndexing
from modules.library.knowledge.collections import Collections, SourceFile
from modules.library.knowledge.index import FoundPassage, IndexedFile, KnowledgeIndex
from modules.library.knowledge.ranking import fused, vector_search
from modules.media.embeddings import EmbeddingRequest, EmbeddingService
from modules.media.rerank import RerankService, ScoreRequest
from modules.models.pool import ModelPool
from modules.models.state import Status
from modules.paths import UserData

_log = logging.getLogger(__name__)

MOST_PASSAGES: Final = 20
# So many of each way of searching are put into one order, and so many of those are read by a rerank model.
_CANDIDATES: Final = 50
_RERANKED: Final = 20
# A question waits so long for files that were just added; then it searches what has been read.
_PATIENCE: Final = 20.0
# Names by which models for retrieval call what goes before a question and before what is searched.
_QUERY: Final = "query"
_DOCUMENT: Final = "document"


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionState:
    """`files` are those on disk, with what the index knows of each; `vectors` of the `passages` have one of the embedding
    model, whose name is empty where there is none."""

    name: str
    files: tuple[tuple[SourceFile, IndexedFile | None], ...]
    passages: int
    vectors: int
    model: str
    progress: IndexProgress


class KnowledgeService:
    """With an embedding model on this machine searches are hybrid, with a loaded rerank model they are reranked; without
    either they are by words."""

    def __init__(self, data: UserData, models: ModelPool, embeddings: EmbeddingService, rerank: RerankService) -> None:
        self.collections = Collections(data.knowledge)
        self._index = KnowledgeIndex(data.cache / "knowledge.sqlite3")
        self._models = models
        self._embeddings = embeddings
        self._rerank = rerank
        self._indexing = KnowledgeIndexing(self.collections, self._index, self._vectors_of)

    async def names(self) -> list[str]:
        return await asyncio.to_thread(self.collections.names)

    async def state(self, name: str) -> CollectionState:
        """Raises BadRequest where there is no such collection."""
        model = await self._embedding_model() or ""
        files, known, counts = await asyncio.gather(
            asyncio.to_thread(self.collections.files, name),
            asyncio.to_thread(self._index.files, name),
            asyncio.to_thread(self._index.counts, name, model),
        )
        return CollectionState(
            name=name,
            files=tuple((file, known.get(file.path)) for file in files),
            passages=counts[0],
            vectors=counts[1],
            model=model,
            progress=self._indexing.progress(name),
        )

    async def update(self, name: str) -> None:
        """Begin to bring the collection's index in step. Raises BadRequest where there is no such collection."""
        await asyncio.to_thread(self.collections.folder, name)
        _ = self._indexing.start(name, await self._embedding_model())

    async def wait(self, name: str) -> None:
        """Until the work that `update` has begun is done."""
        await asyncio.wait([self._indexing.start(name, await self._embedding_model())])

    async def stop(self, name: str) -> None:
        await self._indexing.cancel(name)

    async def delete(self, name: str) -> None:
        """The collection with its files, and all that the index has of it."""
        await self.stop(name)
        await asyncio.to_thread(self.collections.delete, name)
        await asyncio.to_thread(self._index.keep_only, await self.names())

    async def search(self, question: str, names: Sequence[str], *, limit: int) -> list[FoundPassage]:
        """The passages that answer best, the best first. Raises BadRequest for a collection that is not there, naming those
        that are."""
        for name in names:
            await asyncio.to_thread(self.collections.folder, name)
        await self._catch_up(names)
        try:
            by_words, by_vectors = await asyncio.gather(
                asyncio.to_thread(self._index.search, question, names, _CANDIDATES), self._by_vectors(question, names)
            )
            order = fused(by_words, by_vectors)[: max(_RERANKED, limit)]
            found = await asyncio.to_thread(self._index.read, order)
        except sqlite3.Error:
            raise ServiceError(
                "The index of the knowledge collections was damaged and is made anew. Ask again."
            ) from None
        return (await self._reranked(question, found))[:limit]

    async def aclose(self) -> None:
        await self._indexing.aclose()

    async def _catch_up(self, names: Sequence[str]) -> None:
        """What takes longer goes on by itself."""
        model = await self._embedding_model()
        tasks = [self._indexing.start(name, model) for name in names if any(await self._indexing.stale(name))]
        if tasks:
            await asyncio.wait(tasks, timeout=_PATIENCE)

    async def _embedding_model(self) -> str | None:
        """The one that answers /v1/embeddings, if it is on this machine."""
        try:
            choices = await self._models.choices(ModelKind.EMBEDDING)
        except NotInstalled:
            return None
        return choices[0].name if choices else None

    async def _vectors_of(self, model: str, texts: Sequence[str]) -> Sequence[bytes]:
        request = EmbeddingRequest(model=model, inputs=tuple(texts), prompt_name=_DOCUMENT)
        return (await self._embeddings.embed(request)).vectors

    async def _by_vectors(self, question: str, names: Sequence[str]) -> list[int]:
        """Nothing where there are no vectors, or the model that made them cannot be had now."""
        model = await self._embedding_model()
        if model is None:
            return []
        numbers, vectors = await asyncio.to_thread(self._index.vectors, names, model)
        if not numbers:
            return []
        try:
            asked = await self._embeddings.embed(EmbeddingRequest(model=model, inputs=(question,), prompt_name=_QUERY))
        except ServiceError as error:
            _log.warning("a search of the knowledge goes without the embedding model: %s", error.message)
            return []
        return await asyncio.to_thread(_nearest, asked.vectors[0], numbers, vectors, _CANDIDATES)

    async def _reranked(self, question: str, found: list[FoundPassage]) -> list[FoundPassage]:
        model = next(
            (
                each.name
                for each in self._models.models
                if each.kind is ModelKind.RERANK and each.status is Status.READY
            ),
            None,
        )
        if model is None or len(found) < 2:
            return found
        pairs = tuple((question, passage.text) for passage in found)
        try:
            scores = await self._rerank.score(ScoreRequest(model=model, pairs=pairs))
        except ServiceError as error:
            _log.warning("a search of the knowledge goes without the rerank model: %s", error.message)
            return found
        order = sorted(range(len(found)), key=lambda place: -scores.values[place])
        return [found[place] for place in order]


def _nearest(question: bytes, numbers: Sequence[int], vectors: bytes, limit: int) -> list[int]:
    return vector_search().nearest(question, numbers, vectors, limit)
