"""The open streams of an engine, and the chunks that wait in each."""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable
from typing import TypeAlias

from modules.engine.types import Chunk, Generation, Job
from modules.errors import Busy, ServiceError

Submit: TypeAlias = Callable[[Job], None]
Cancel: TypeAlias = Callable[[int], None]


class Mailbox:
    """Chunks for one reader, joined when it reads them, so that a slow one costs nothing. `put` and `fail` never block; all
    methods belong to the event loop's thread."""

    def __init__(self) -> None:
        self._chunks: list[Chunk] = []
        self._error: ServiceError | None = None
        self._arrival: asyncio.Future[None] | None = None

    def put(self, chunk: Chunk) -> None:
        self._chunks.append(chunk)
        self._wake()

    def fail(self, error: ServiceError) -> None:
        """End the stream with `error`, after whatever is still unread."""
        self._error = error
        self._wake()

    async def get(self) -> Chunk:
        """Everything since the last call, as one chunk; waits when there is nothing. Raises what `fail` was given."""
        while not self._chunks:
            if self._error is not None:
                raise self._error
            await self._wait()
        chunks, self._chunks = self._chunks, []
        return chunks[0] if len(chunks) == 1 else Chunk.join(chunks)

    async def _wait(self) -> None:
        self._arrival = asyncio.get_running_loop().create_future()
        try:
            await self._arrival
        finally:
            self._arrival = None

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)


class RequestStreams:
    """Opens a stream per job and routes news to it. At most `bound` jobs are open at once, running or waiting."""

    def __init__(self, *, submit: Submit, cancel: Cancel, bound: int) -> None:
        self._submit = submit
        self._cancel = cancel
        self._bound = bound
        self._ids = itertools.count(1)
        self._mailboxes: dict[int, Mailbox] = {}

    async def stream(self, generation: Generation) -> AsyncGenerator[Chunk, None]:
        """Raises Busy beyond the bound. Closed early, it cancels the job."""
        if len(self._mailboxes) >= self._bound:
            raise Busy("Too many requests are waiting for the model. Try again shortly.")
        job_id = next(self._ids)
        mailbox = self._mailboxes[job_id] = Mailbox()
        is_over = False
        try:
            self._submit(Job(job_id, generation))
            while not is_over:
                chunk = await mailbox.get()
                is_over = chunk.finish is not None
                yield chunk
        finally:
            self._mailboxes.pop(job_id, None)
            if not is_over:
                self._cancel(job_id)

    @property
    def is_open(self) -> bool:
        """Whether any stream is open."""
        return bool(self._mailboxes)

    def put(self, job_id: int, news: Chunk | ServiceError) -> None:
        """News for a job nobody listens to any more is dropped."""
        mailbox = self._mailboxes.get(job_id)
        if mailbox is None:
            return
        if isinstance(news, Chunk):
            mailbox.put(news)
        else:
            mailbox.fail(news)

    def fail_all(self, error: ServiceError) -> None:
        for mailbox in self._mailboxes.values():
            mailbox.fail(error)
