"""One MCP server over time: connected when it is first asked, kept, connected again after a failure."""

import asyncio
import importlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from modules.chat.tools.base import ToolFailed, checked_spec
from modules.chat.tools.mcp_servers import McpServer
from modules.messages import ToolSpec

# Servers that are started with npx download themselves the first time.
_START_SECONDS: Final = 15.0
# Launchers such as npx may have to fetch the server first.
_PATIENCE_SECONDS: Final = 120.0
_REST_SECONDS: Final = 10.0
# At most a bit under three minutes between attempts to reach a server that is down.
_LONGEST_REST: Final = 16


class Session(Protocol):
    """What `McpSession` is, to those that do not import the client."""

    is_connecting: bool

    async def tools(self) -> tuple[Any, ...]: ...
    async def call(self, name: str, arguments: Mapping[str, Any]) -> str: ...
    def leave(self) -> None: ...
    async def gone(self) -> None: ...


class McpConnection:
    """A server that fails is left alone for `rest_seconds`, each time twice as long, and until then its failure is the
    answer, at once. One that takes longer to start than anybody waits goes on starting."""

    def __init__(
        self,
        server: McpServer,
        *,
        start_seconds: float = _START_SECONDS,
        call_seconds: float,
        rest_seconds: float = _REST_SECONDS,
    ) -> None:
        self.server = server
        self._start_seconds = start_seconds
        self._call_seconds = call_seconds
        self._rest_seconds = rest_seconds
        self._turn = asyncio.Lock()
        self._session: Session | None = None
        self._left: list[Session] = []
        self._began = 0.0
        self._rests_until = 0.0
        self._failures = 0
        self._failure = ""

    async def tools(self) -> tuple[tuple[ToolSpec, ...], tuple[str, ...]]:
        """What the server offers now, and what is wrong with those that cannot be used. Raises ToolFailed."""
        async with self._turn:
            return _specs(await self._listed())

    async def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """Raises ToolFailed. A call is sent once: what failed midway may have happened all the same."""
        async with self._turn:
            # A connection that nobody answers is found out here, where it can be made anew without harm.
            await self._listed()
            session = self._session
        assert session is not None
        try:
            async with asyncio.timeout(self._call_seconds):
                return await session.call(name, arguments)
        except TimeoutError:
            raise ToolFailed(f"The tool took longer than {self._call_seconds:g} seconds.") from None

    def retry(self) -> None:
        """Ask the server the next time, however short ago it failed."""
        self._failures = 0
        self._rests_until = 0.0

    async def aclose(self) -> None:
        self._drop()
        await asyncio.gather(*(session.gone() for session in self._left))
        self._left.clear()

    async def _listed(self) -> tuple[Any, ...]:
        self._refuse_to_wait()
        try:
            async with asyncio.timeout(self._start_seconds):
                tools = await self._listed_somehow()
        except TimeoutError:
            self._failure = f"The server has not answered within {self._start_seconds:g} seconds."
            if self._session is None or not self._session.is_connecting:
                self._rest()
            raise ToolFailed(self._failure) from None
        except ToolFailed as failure:
            self._failure = str(failure)
            self._rest()
            raise
        self._failures = 0
        return tools

    async def _listed_somehow(self) -> tuple[Any, ...]:
        if self._session is not None:
            is_new = self._session.is_connecting
            try:
                return await self._session.tools()
            except ToolFailed:
                self._drop()
                if is_new:
                    raise
        self._began = _now()
        self._session = (await asyncio.to_thread(_session_kind))(self.server)
        return await self._session.tools()

    def _refuse_to_wait(self) -> None:
        """Raises ToolFailed while the server rests, or has been waited for long enough."""
        if _now() < self._rests_until:
            raise ToolFailed(self._failure)
        if self._session is not None and self._session.is_connecting and _now() > self._began + self._start_seconds:
            if _now() > self._began + _PATIENCE_SECONDS:
                self._rest()
            raise ToolFailed(self._failure)

    def _rest(self) -> None:
        self._rests_until = _now() + self._rest_seconds * min(2**self._failures, _LONGEST_REST)
        self._failures += 1
        self._drop()

    def _drop(self) -> None:
        if self._session is not None:
            self._session.leave()
            self._left.append(self._session)
        self._session = None


def _now() -> float:
    return asyncio.get_running_loop().time()


def _session_kind() -> Callable[[McpServer], Session]:
    """Importing the client takes a second, and who has no MCP server does without it."""
    kind: Callable[[McpServer], Session] = importlib.import_module("modules.chat.tools.mcp_session").McpSession
    return kind


def _specs(tools: tuple[Any, ...]) -> tuple[tuple[ToolSpec, ...], tuple[str, ...]]:
    specs: dict[str, ToolSpec] = {}
    problems = []
    for tool in tools:
        try:
            spec = checked_spec(tool.name, tool.description, tool.input_schema)
        except ToolFailed as failure:
            problems.append(str(failure))
        else:
            specs.setdefault(spec.name, spec)
    return tuple(specs.values()), tuple(problems)
