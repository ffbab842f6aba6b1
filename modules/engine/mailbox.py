"""One slot per listener. Chunks that wait for a slow listener are joined when it reads, so lagging costs nothing."""

import asyncio

from modules.engine.types import Chunk
from modules.errors import ServiceError


class Mailbox:
    """Chunks for one listener. `put` and `fail` never block; all methods belong to the event loop's thread."""

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
