"""Bringing the index of collections in step with their files: read, cut, put in, compute vectors."""

import asyncio
import hashlib
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from modules.chat.attachments.attachments import read_document
from modules.errors import BadRequest, ServiceError
from modules.library.knowledge.collections import MAX_FILE_BYTES, Collections, SourceFile
from modules.library.knowledge.index import IndexedFile, KnowledgeIndex
from modules.library.knowledge.passages import Passage, passages_of
from modules.library.knowledge.ranking import vector_search
from modules.library.text_files import read_bytes

_log = logging.getLogger(__name__)

# A long book has about a million characters.
MAX_TEXT: Final = 8_000_000
# Between two batches others get their turn at the embedding model.
_BATCH: Final = 32
_TABLES: Final = (".csv", ".tsv")
_SHORTEST_HEADER: Final = 3
_STOPPED: Final = "Stopped. What was read so far can be searched."

Embed = Callable[[str, Sequence[str]], Awaitable[Sequence[bytes]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexProgress:
    """How far the work on a collection has come. `done` of `total` are files, then passages that get vectors."""

    is_running: bool = False
    done: int = 0
    total: int = 0
    embeds: bool = False
    message: str = ""


class KnowledgeIndexing:
    """A task for each collection that is being brought in step. `embed` computes the vectors of texts with the model of a
    name. Being cancelled or closed leaves what has been put in, and the next time goes on from there."""

    def __init__(self, collections: Collections, index: KnowledgeIndex, embed: Embed) -> None:
        self._collections = collections
        self._index = index
        self._embed = embed
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._progress: dict[str, IndexProgress] = {}

    def progress(self, name: str) -> IndexProgress:
        return self._progress.get(name, IndexProgress())

    def start(self, name: str, model: str | None) -> asyncio.Task[None]:
        """The work on the collection, begun or under way. With a `model` its passages get vectors."""
        task = self._tasks.get(name)
        if task is None or task.done():
            self._progress[name] = IndexProgress(is_running=True)
            task = self._tasks[name] = asyncio.create_task(self._run(name, model), name=f"knowledge index {name}")
        return task

    async def cancel(self, name: str) -> None:
        task = self._tasks.get(name)
        if task is not None and not task.done():
            task.cancel()
            await asyncio.wait([task])
            # A task that has not run yet says nothing itself.
            self._progress[name] = replace(self.progress(name), is_running=False, message=_STOPPED)

    async def aclose(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks.values())

    async def stale(self, name: str) -> tuple[list[SourceFile], list[str]]:
        """Files that the index does not have as they are now, and paths that it has and the disk has not."""
        files, known = await asyncio.gather(
            asyncio.to_thread(self._collections.files, name), asyncio.to_thread(self._index.files, name)
        )
        new = [file for file in files if file.path not in known or known[file.path].source != file]
        return new, sorted(known.keys() - {file.path for file in files})

    async def _run(self, name: str, model: str | None) -> None:
        message = ""
        try:
            await self._read_files(name)
            if model is not None:
                await self._add_vectors(name, model)
        except ServiceError as error:
            message = error.message
        except (sqlite3.Error, OSError) as error:
            _log.warning("a knowledge collection could not be indexed: %s", type(error).__name__)
            message = "The index could not be written. Look at the space on the disk, then try again."
        finally:
            self._progress[name] = replace(self.progress(name), is_running=False, message=message)

    async def _read_files(self, name: str) -> None:
        new, gone = await self.stale(name)
        known = await asyncio.to_thread(self._index.files, name)
        if gone:
            await asyncio.to_thread(self._index.remove, name, gone)
        for done, file in enumerate(new):
            self._progress[name] = IndexProgress(is_running=True, done=done, total=len(new))
            await self._read_file(name, file, known.get(file.path))
        self._progress[name] = IndexProgress(is_running=True, done=len(new), total=len(new))

    async def _read_file(self, name: str, file: SourceFile, known: IndexedFile | None) -> None:
        try:
            path = await asyncio.to_thread(self._collections.file, name, file.path)
            content = await asyncio.to_thread(read_bytes, path, limit=MAX_FILE_BYTES)
        except FileNotFoundError:
            return
        except BadRequest as error:
            await self._put(name, IndexedFile(source=file, digest="", problem=error.message), [])
            return
        digest = hashlib.sha256(content).hexdigest()
        if known is not None and known.digest == digest:
            await asyncio.to_thread(self._index.touch, name, file)
            return
        try:
            document = await read_document(PurePosixPath(file.path).name, content, most=MAX_TEXT)
        except BadRequest as error:
            await self._put(name, IndexedFile(source=file, digest=digest, problem=error.message), [])
            return
        passages = await asyncio.to_thread(passages_of, document.text, document.page_starts)
        if file.path.lower().endswith(_TABLES):
            passages = _with_header(document.text, passages)
        await self._put(name, IndexedFile(source=file, digest=digest), passages)

    async def _put(self, name: str, file: IndexedFile, passages: Sequence[Passage]) -> None:
        await asyncio.to_thread(self._index.put, name, file, passages)

    async def _add_vectors(self, name: str, model: str) -> None:
        passages, done = await asyncio.to_thread(self._index.counts, name, model)
        while batch := await asyncio.to_thread(self._index.without_vector, name, model, _BATCH):
            self._progress[name] = IndexProgress(is_running=True, done=done, total=passages, embeds=True)
            half = vector_search().half_floats
            vectors = await self._embed(model, [text for _, text in batch])
            halves = [(number, half(vector)) for (number, _), vector in zip(batch, vectors, strict=True)]
            await asyncio.to_thread(self._index.put_vectors, model, halves)
            done += len(batch)
        self._progress[name] = IndexProgress(is_running=True, done=done, total=passages, embeds=True)


def _with_header(text: str, passages: Sequence[Passage]) -> list[Passage]:
    """Rows of a table say little without the names of its columns."""
    header = text.partition("\n")[0].strip()[:500]
    if len(header) < _SHORTEST_HEADER:
        return list(passages)
    return [replace(passage, heading=header) if passage.start else passage for passage in passages]
