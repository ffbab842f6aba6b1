"""A server that answers HTTP requests with the bytes a test gives it, in the pieces and at the moments it says."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Answer: TypeAlias = Callable[["Request", asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class Request:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass(slots=True)
class RawServer:
    """`url` ends in /v1. `requests` are those that came, `gone` is set when a client has closed its connection, `asked` when
    one has sent a body."""

    url: str
    answer: Answer
    requests: list[Request] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def raw_server(answer: Answer) -> AsyncGenerator[RawServer, None]:
    served = RawServer("", answer)
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            while (request := await _read(reader)) is not None:
                served.requests.append(request)
                if request.body:
                    served.asked.set()
                watch = asyncio.create_task(_watch(reader, served.gone))
                await served.answer(request, writer)
                watch.cancel()
                await writer.drain()
                if writer.is_closing():
                    break
        except (ConnectionError, asyncio.CancelledError):
            # Cancelled at the end of a test only; asyncio reports a connection whose task ends so.
            served.gone.set()
        finally:
            writer.close()
            tasks.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    served.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield served
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watch(reader: asyncio.StreamReader, gone: asyncio.Event) -> None:
    """A client that sends nothing more but its end."""
    if not await reader.read(1):
        gone.set()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    line, *rows = head.splitlines()
    headers = {name.lower(): value for name, _, value in (row.partition(": ") for row in rows if row)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(line.split(" ")[1], headers, json.loads(body) if body else {})


def head(status: str = "200 OK", kind: str = "text/event-stream", **headers: object) -> bytes:
    rows = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Transfer-Encoding: chunked"]
    rows += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(rows).encode() + b"\r\n\r\n"


def piece(data: bytes) -> bytes:
    """One piece of a chunked body; an empty one ends it."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(value: object) -> bytes:
    return piece(b"data: " + (value if isinstance(value, bytes) else json.dumps(value).encode()) + b"\n\n")


def delta(content: str | None = None, *, finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    """A chunk of a chat stream."""
    said = more if content is None else {"content": content, **more}
    return {"object": "chat.completion.chunk", "choices": [{"index": index, "delta": said, "finish_reason": finish}]}


def sends(*pieces: bytes, closes: bool = False) -> Answer:
    """An answer of these bytes; `closes` ends the connection with them."""

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        for each in pieces:
            writer.write(each)
            await writer.drain()
        if closes:
            writer.close()

    return answer


def streams(*values: object, done: bool = True) -> Answer:
    """A whole stream of these events."""
    return sends(head(), *(event(value) for value in values), *([event(b"[DONE]")] if done else []), piece(b""))


def fails(status: str, message: str = "secret words", **headers: object) -> Answer:
    body = json.dumps({"error": {"message": message, "code": "its_code", "param": "its_param"}}).encode()
    return sends(head(status, "application/json", **headers), piece(body), piece(b""))


def hangs(*pieces: bytes) -> Answer:
    """Sends these bytes and then nothing, for ever."""

    async def answer(_: Request, writer: asyncio.StreamWriter) -> None:
        for each in pieces:
            writer.write(each)
        await writer.drain()
        await asyncio.Event().wait()

    return answer
