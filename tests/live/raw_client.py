"""HTTP requests on sockets that the test holds in its own hands: to hang up at any point, or never to read."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any, Self

from tests.live.client import CHAT
from tests.live.server import LiveServer


class RawRequest:
    """One request that was sent, and as much of the answer as the test has read."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def send(cls, server: LiveServer, body: dict[str, Any]) -> Self:
        """A chat request on a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        content = json.dumps(body).encode()
        head = f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(content)}"
        writer.write(f"{head}\r\n\r\n".encode() + content)
        await writer.drain()
        return cls(reader, writer)

    async def until(self, words: bytes) -> None:
        """Reads on until `words` have come."""
        await self._reader.readuntil(words)

    async def hang_up(self) -> None:
        """As a program does that has had enough."""
        self._writer.close()
        await self._closed()

    async def break_off(self) -> None:
        """As a program does that is killed: with a reset."""
        self._writer.transport.abort()
        await self._closed()

    async def _closed(self) -> None:
        with suppress(ConnectionError):
            await self._writer.wait_closed()


@asynccontextmanager
async def open_requests(server: LiveServer, bodies: Iterable[dict[str, Any]]) -> AsyncIterator[list[RawRequest]]:
    """One request per body, each on its way when the next one is sent; those left at the end are broken off."""
    async with AsyncExitStack() as opened:
        requests = []
        for body in bodies:
            request = await RawRequest.send(server, body)
            opened.push_async_callback(request.break_off)
            requests.append(request)
        yield requests
