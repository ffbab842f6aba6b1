"""The real app over a real runtime with the scripted backend: in this process, as raw ASGI calls, or on a port."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from extensions.openai.app import create_app
from extensions.openai.server import serve_api
from modules.models.loading import Launch, launch_in_process
from modules.models.state import Status
from modules.runtime import Runtime
from modules.settings.values import Settings

BASE_URL = "http://127.0.0.1:5000"
CHAT = "/v1/chat/completions"
TEXT = "/v1/completions"


def says(words: str, **fields: Any) -> dict[str, Any]:
    """The body of a chat request that says `words`."""
    return {"messages": [{"role": "user", "content": words}], **fields}


def events_of(text: str) -> list[str]:
    """The data of each server-sent event."""
    return [block.removeprefix("data: ") for block in text.split("\n\n") if block.startswith("data: ")]


def chunks_of(text: str) -> list[dict[str, Any]]:
    """Every event but `[DONE]`."""
    return [json.loads(event) for event in events_of(text) if event != "[DONE]"]


def text_of(stream: str) -> str:
    """What a streamed reply says."""
    choices = [choice for chunk in chunks_of(stream) for choice in chunk.get("choices", ())]
    return "".join(choice["delta"]["content"] if "delta" in choice else choice["text"] for choice in choices)


@dataclass
class Served:
    runtime: Runtime
    app: FastAPI
    http: httpx.AsyncClient
    closing: asyncio.Event

    async def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        return await self.http.post(path, json=body, headers=headers)


@asynccontextmanager
async def served(folder: Path, *, launch: Launch = launch_in_process, **settings: Any) -> AsyncIterator[Served]:
    """The app in this process, once its model is loaded."""
    values: dict[str, Any] = {"loader": "scripted", "user_data_dir": folder, **settings}
    if values["loader"] is None:
        # Left to what is stored for each model.
        del values["loader"]
    async with Runtime(Settings(**values), launch=launch) as runtime:
        if runtime.settings.loader == "scripted":
            await until(runtime, Status.READY)
        closing = asyncio.Event()
        app = create_app(runtime, closing=closing)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE_URL) as http:
            yield Served(runtime, app, http, closing)


async def until(runtime: Runtime, status: Status) -> None:
    async for state in runtime.models.changes():
        if state.status is status:
            return


@dataclass
class RawCall:
    """One request as the server would make it: whoever tests it decides when the caller hangs up."""

    app: FastAPI
    path: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    sent: list[dict[str, Any]] = field(default_factory=list)
    has_read_body: bool = False
    is_stuck: bool = False

    def __post_init__(self) -> None:
        self._hung_up = asyncio.Event()
        self._news = asyncio.Event()

    async def run(self) -> None:
        headers = {"host": "127.0.0.1", "content-type": "application/json", **self.headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 5000),
        }
        await self.app(scope, self._receive, self._send)

    def hang_up(self) -> None:
        self._hung_up.set()

    async def until_says(self, words: str) -> None:
        """Waits for a streamed reply to get that far."""
        while words not in text_of(self.sent_body.decode()):
            self._news.clear()
            await self._news.wait()

    async def until_sends(self) -> None:
        """Waits for the first of the body."""
        while not self.sent_body:
            self._news.clear()
            await self._news.wait()

    async def until_body(self, part: bytes) -> None:
        while part not in self.sent_body:
            self._news.clear()
            await self._news.wait()

    @property
    def sent_body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    async def _receive(self) -> dict[str, Any]:
        if self.has_read_body:
            await self._hung_up.wait()
            return {"type": "http.disconnect"}
        self.has_read_body = True
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def _send(self, message: Any) -> None:
        if self.is_stuck and message["type"] == "http.response.body":
            await asyncio.Event().wait()
        self.sent.append(message)
        self._news.set()


@asynccontextmanager
async def on_port(
    folder: Path,
    *,
    waits_for: str = "OpenAI-compatible API: ",
    launch: Launch = launch_in_process,
    **settings: Any,
) -> AsyncIterator[tuple[str, asyncio.Task[None], list[str]]]:
    """The API on a free port: its base URL, the task that serves it, and what it announced."""
    values: dict[str, Any] = {"loader": "scripted", "user_data_dir": folder, "api_port": 0, **settings}
    if values["loader"] is None:
        # Left to what is stored for each model.
        del values["loader"]
    lines: list[str] = []
    is_up = asyncio.Event()

    def announce(line: str) -> None:
        lines.append(line)
        if waits_for in line:
            is_up.set()

    async with Runtime(Settings(**values), launch=launch) as runtime:
        await until(runtime, Status.READY)
        serving = asyncio.create_task(serve_api(runtime, announce=announce))
        try:
            waiting = asyncio.create_task(is_up.wait())
            await asyncio.wait((serving, waiting), return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                waiting.cancel()
                serving.result()
            url = next(line for line in lines if "OpenAI-compatible" in line).split()[-1]
            yield url, serving, lines
        finally:
            serving.cancel()
            await asyncio.wait([serving])


@asynccontextmanager
async def calling(call: RawCall) -> AsyncIterator[asyncio.Task[None]]:
    """Runs the call; it is over when the block is."""
    running = asyncio.create_task(call.run())
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.wait([running])
