"""The tools of all MCP servers that the user has named."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from modules.chat.tools.base import Origin, Shelf, ToolFailed, ToolInfo
from modules.chat.tools.mcp_connection import McpConnection
from modules.chat.tools.mcp_servers import (
    CommandServer,
    Listed,
    McpServer,
    UrlServer,
    parse_server_lines,
    read_server_file,
)
from modules.errors import BadRequest
from modules.messages import ToolSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class McpServerState:
    """`place` is what may be shown of where it is; with a `problem` it cannot be used now. `is_in_file`: it is an entry of
    mcp.json."""

    name: str
    place: str
    tools: tuple[str, ...] = ()
    problem: str = ""
    is_in_file: bool = False


class McpTools:
    """One connection a server, closed when the server is not named any more. `seconds` bound one call. Lines that mean
    nothing at the start are a problem in the list, not an error: they come from the settings."""

    origin = Origin.MCP

    def __init__(self, file: Path, lines: str = "", *, seconds: float) -> None:
        self._file = file
        self._seconds = seconds
        self._named: tuple[UrlServer, ...] = ()
        self._refused: tuple[ToolInfo, ...] = ()
        try:
            self.use(lines)
        except BadRequest as error:
            self._refused = (_problem("mcp_servers", error.message),)
        self._connections: dict[McpServer, McpConnection] = {}
        self._places: dict[str, McpConnection] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def use(self, lines: str) -> None:
        """Raises BadRequest."""
        self._named = parse_server_lines(lines)
        self._refused = ()

    def retry(self) -> None:
        """Ask servers that failed the next time, however short ago that was."""
        for connection in self._connections.values():
            connection.retry()

    async def find(self, name: str) -> ToolSpec | None:
        """The server that had the tool last is asked first, so that others cannot delay it."""
        connection = self._places.get(name)
        if connection is not None and connection in self._connections.values():
            spec = (await _offer(connection)).find(name)
            if spec is not None:
                return spec
        return (await self.shelf()).find(name)

    async def states(self) -> list[McpServerState]:
        """Every server that is on, asked now; those that failed a moment ago are not asked again. Takes a bounded time."""
        listed = await asyncio.to_thread(read_server_file, self._file)
        self._keep((*listed.servers, *self._named))
        connections = tuple(self._connections.values())
        offers = await asyncio.gather(*(_offer(connection) for connection in connections))
        broken = [*listed.problems, *((each.name, each.problem or "") for each in self._refused)]
        return [
            *(
                _state(connection.server, offer, is_in_file=connection.server in listed.servers)
                for connection, offer in zip(connections, offers, strict=True)
            ),
            *(McpServerState(name=name, place="mcp.json", problem=words) for name, words in broken),
        ]

    async def shelf(self) -> Shelf:
        listed = await asyncio.to_thread(read_server_file, self._file)
        self._keep((*listed.servers, *self._named))
        connections = tuple(self._connections.values())
        offers = await asyncio.gather(*(_offer(connection) for connection in connections))
        specs: dict[str, ToolSpec] = {}
        self._places = {}
        for connection, offer in zip(connections, offers, strict=True):
            for spec in offer.specs:
                specs.setdefault(spec.name, spec)
                self._places.setdefault(spec.name, connection)
        problems = (*self._refused, *_problems(listed), *(problem for offer in offers for problem in offer.problems))
        return Shelf(specs=tuple(specs.values()), problems=problems)

    async def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        connection = self._places.get(name)
        if connection is None:
            raise ToolFailed("No MCP server has this tool any more.")
        return await connection.call(name, arguments)

    async def aclose(self) -> None:
        self._keep(())
        if self._closing:
            await asyncio.wait(self._closing)

    def _keep(self, servers: tuple[McpServer, ...]) -> None:
        for server in self._connections.keys() - set(servers):
            task = asyncio.create_task(self._connections.pop(server).aclose())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        # The order is that of the servers, since the first of two tools of a name counts.
        self._connections = {
            server: self._connections.get(server) or McpConnection(server, call_seconds=self._seconds)
            for server in servers
        }


async def _offer(connection: McpConnection) -> Shelf:
    name = connection.server.name
    try:
        specs, problems = await connection.tools()
    except ToolFailed as failure:
        return Shelf(problems=(_problem(name, str(failure)),))
    return Shelf(specs=specs, problems=tuple(_problem(name, problem) for problem in problems))


def _state(server: McpServer, offer: Shelf, *, is_in_file: bool) -> McpServerState:
    """Arguments, variables, headers and paths of addresses may hold keys, and are not shown."""
    place = server.command if isinstance(server, CommandServer) else urlsplit(server.url).netloc.rpartition("@")[2]
    return McpServerState(
        name=server.name,
        place=place,
        tools=tuple(spec.name for spec in offer.specs),
        problem=" ".join(problem.problem or "" for problem in offer.problems),
        is_in_file=is_in_file,
    )


def _problems(listed: Listed) -> tuple[ToolInfo, ...]:
    return tuple(_problem(name, words) for name, words in listed.problems)


def _problem(name: str, words: str) -> ToolInfo:
    return ToolInfo(name=name, description="", origin=Origin.MCP, problem=words)
