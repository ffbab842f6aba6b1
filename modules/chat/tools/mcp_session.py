"""One open MCP connection, in a task of its own: the client must be left where it was entered."""

import asyncio
import logging
import os
import shutil
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
from mcp import MCPError
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, TextContent, Tool

from modules.chat.tools.base import ToolFailed, answer_text
from modules.chat.tools.mcp_servers import CommandServer, McpServer
from modules.paths import PROGRAM_FOLDER
from modules.process.spec import ProcessSpec, harmless_environment

# A server may answer with a next page without end.
_MAX_PAGES: Final = 20
# Descriptions of more would fill any context.
_MAX_TOOLS: Final = 500
_CLOSE_SECONDS: Final = 8.0
# A server may hold a response open for as long as its tool works; calls have a bound of their own.
_HTTP_TIMEOUT: Final = httpx2.Timeout(30.0, read=300.0)


class McpSession:
    """Begins to connect at once, and stays until `leave`."""

    def __init__(self, server: McpServer) -> None:
        # The client's own log quotes what servers send.
        logging.getLogger("mcp").setLevel(logging.CRITICAL)
        logging.getLogger("client").setLevel(logging.CRITICAL)
        self._server = server
        self._failure = "The server ended the connection."
        self._wanted = asyncio.Event()
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._stay(), name=f"MCP server {server.name}")

    @property
    def is_connecting(self) -> bool:
        return not self._ready.done() and not self._task.done()

    async def tools(self) -> tuple[Tool, ...]:
        """What the server has now. Raises ToolFailed."""
        client = await self._client()
        tools: list[Tool] = []
        cursor = None
        try:
            for _ in range(_MAX_PAGES):
                page = await client.list_tools(cursor=cursor)
                tools += page.tools
                cursor = page.next_cursor
                if cursor is None:
                    break
        except Exception as error:
            raise ToolFailed(_told(error)) from error
        return tuple(tools[:_MAX_TOOLS])

    async def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Raises ToolFailed."""
        client = await self._client()
        try:
            result = await client.call_tool(name, dict(arguments))
        except Exception as error:
            raise ToolFailed(_told(error)) from error
        if result.is_error:
            raise ToolFailed(_text(result) or "The tool failed.")
        return _text(result)

    def leave(self) -> None:
        """Ends the connection, and the process where the server is one, without waiting for that."""
        if not self._ready.done():
            self._task.cancel()
        self._wanted.set()

    async def gone(self) -> None:
        await asyncio.wait({self._task}, timeout=_CLOSE_SECONDS)

    async def _client(self) -> Client:
        either: set[asyncio.Future[Any]] = {self._task, self._ready}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            raise ToolFailed(self._failure)
        return self._ready.result()

    async def _stay(self) -> None:
        try:
            async with _opened(self._server) as client:
                self._ready.set_result(client)
                await self._wanted.wait()
        except Exception as error:  # noqa: BLE001 - whatever broke, who waits for the client must hear of it
            self._failure = _told(error)


def _parameters(server: CommandServer) -> StdioServerParameters:
    """Through the launcher of `modules.process`, so that Linux ends the server with this program, however that ends.
    Elsewhere a server sees the end of its stdin, and the client ends what it started."""
    env = dict(server.env)
    is_found = shutil.which(server.command, path=env.get("PATH")) is not None
    # Variables of Python are meant for the server's own Python, and would break the launcher's.
    if sys.platform != "linux" or not is_found or any(name.startswith("PYTHON") for name in env):
        return StdioServerParameters(command=server.command, args=list(server.args), env=env)
    spec = ProcessSpec(name=server.name, command=(server.command, *server.args), folder=Path.cwd())
    command, *args = spec.launch_command
    return StdioServerParameters(
        command=command, args=args, env={**harmless_environment(), **env}, cwd=str(PROGRAM_FOLDER)
    )


@asynccontextmanager
async def _opened(server: McpServer) -> AsyncGenerator[Client, None]:
    if isinstance(server, CommandServer):
        with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: ASYNC230 - the null device never waits
            async with Client(stdio_client(_parameters(server), errlog=nowhere), cache=None) as client:
                yield client
    else:
        async with (
            httpx2.AsyncClient(headers=dict(server.headers), timeout=_HTTP_TIMEOUT) as http,
            Client(streamable_http_client(server.url, http_client=http), cache=None) as client,
        ):
            yield client


def _told(error: BaseException) -> str:
    """One sentence without addresses, headers or what was sent."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    match error:
        case MCPError():
            return f"The server says: {error.error.message:.500}"
        case FileNotFoundError():
            return "Its command is not there; install it or correct it in mcp.json."
        case OSError() if error.strerror:
            return f"The server cannot be started: {error.strerror}."
        case httpx2.HTTPStatusError():
            return f"The server answers with status {error.response.status_code}; look at its address and headers."
        case httpx2.TransportError():
            return "The server cannot be reached; start it or correct its address."
        case _:
            return f"The server does not speak as an MCP server should ({type(error).__name__})."


def _text(result: CallToolResult) -> str:
    """The result as a model can read it: other content than text is only named."""
    parts = [block.text if isinstance(block, TextContent) else f"[{block.type}]" for block in result.content]
    if not parts and result.structured_content is not None:
        return answer_text(result.structured_content)
    return "\n".join(parts)
