"""Every tool that a model may be offered, wherever it comes from, behind one list and one way to call."""

import asyncio
import json
import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final

from modules.chat.tools.base import Origin, ToolFailed, ToolInfo, ToolSource, shortened
from modules.chat.tools.built_in import BuiltInTools
from modules.chat.tools.extension import ExtensionTool, ExtensionTools
from modules.chat.tools.files import FileTools
from modules.chat.tools.mcp_tools import McpServerState, McpTools
from modules.chat.tools.web import WebTools
from modules.messages import ToolSpec
from modules.paths import UserData

_log = logging.getLogger(__name__)

# The user waits; searches and small programs are done long before.
CALL_SECONDS: Final = 60.0
# A model in a loop writes arguments until its reply is cut off.
_MAX_ARGUMENTS: Final = 2**20


class ToolBox:
    """Of tools with the same name, the user's own file counts, then an extension's, then a built-in one, then an MCP
    server's. `mcp_servers` are lines as in the setting of that name; `seconds` bound one call, but for those of `program_tools`, which
    are the program's own."""

    def __init__(
        self,
        data: UserData,
        *,
        mcp_servers: str = "",
        extension_tools: Sequence[ExtensionTool] = (),
        program_tools: Sequence[ExtensionTool] = (),
        web: WebTools | None = None,
        seconds: float = CALL_SECONDS,
    ) -> None:
        self._seconds = seconds
        self._web = web
        self._own = ExtensionTools((*program_tools, *(web.tools if web else ())), Origin.BUILT_IN)
        self._mcp = McpTools(data.mcp, mcp_servers, seconds=seconds)
        self._local: tuple[ToolSource, ...] = (
            FileTools(data.tools, seconds=seconds),
            ExtensionTools(extension_tools),
            self._own,
            BuiltInTools(),
        )

    def use_mcp_servers(self, lines: str) -> None:
        """From the next list or call on, these servers count besides those of mcp.json. Raises BadRequest."""
        self._mcp.use(lines)

    def use_search(self, address: str) -> None:
        """From the next search on, that SearXNG server is asked."""
        if self._web is not None:
            self._web.address = address

    async def available(self, *, retry: bool = False) -> list[ToolInfo]:
        """Every tool by name, then everything that would be one but for its problem. Takes a bounded time; servers that
        failed a moment ago are asked again only on `retry`."""
        if retry:
            self._mcp.retry()
        sources = self._sources
        shelves = await asyncio.gather(*(source.shelf() for source in sources))
        tools: dict[str, ToolInfo] = {}
        problems: list[ToolInfo] = []
        for source, shelf in zip(sources, shelves, strict=True):
            problems += shelf.problems
            for spec in shelf.specs:
                info = ToolInfo(name=spec.name, description=spec.description, origin=source.origin)
                tools.setdefault(spec.name, info)
        return [*sorted(tools.values(), key=lambda info: info.name.lower()), *problems]

    async def servers(self) -> list[McpServerState]:
        """Every MCP server that is on, and whether it works."""
        return await self._mcp.states()

    async def origins(self, names: Iterable[str]) -> dict[str, Origin]:
        """Where the tools of these names come from; names that no tool has are left out."""
        found = {name: await self._find(name) for name in dict.fromkeys(names)}
        return {name: place[0].origin for name, place in found.items() if place is not None}

    async def specs(self, names: Iterable[str]) -> tuple[ToolSpec, ...]:
        """The tools of these names, in their order. Names that no tool has, or has any more, are left out."""
        found = [await self._find(name) for name in dict.fromkeys(names)]
        return tuple(place[1] for place in found if place is not None)

    async def call(self, name: str, arguments: str) -> str:
        """What the tool says to `arguments`, which is JSON; or, where it fails, a sentence that says so to the model.
        Being cancelled ends the tool."""
        try:
            values = _arguments(arguments)
            place = await self._find(name)
            if place is None:
                raise ToolFailed(f"There is no tool named {name!a:.80}.")
            # The program's own are trusted to end, however long they take.
            seconds = None if place[0] is self._own else self._seconds + 1
            async with asyncio.timeout(seconds):
                return shortened(await place[0].call(name, values))
        except ToolFailed as failure:
            return shortened(f"Error: {failure}")
        except TimeoutError:
            return f"Error: The tool took longer than {self._seconds:g} seconds."
        except Exception:  # noqa: BLE001 - whatever broke, the reply goes on
            # What broke may quote the arguments, which are nobody's business but the user's.
            _log.error("the tool %s broke in a way that nobody foresaw", name)
            return "Error: The tool broke."

    async def aclose(self) -> None:
        await asyncio.gather(*(source.aclose() for source in self._sources))

    @property
    def _sources(self) -> tuple[ToolSource, ...]:
        return *self._local, self._mcp

    async def _find(self, name: str) -> tuple[ToolSource, ToolSpec] | None:
        """Servers are asked only when no tool of this machine has the name."""
        for source in self._sources:
            if (spec := await source.find(name)) is not None:
                return source, spec
        return None


def _arguments(text: str) -> dict[str, Any]:
    if len(text) > _MAX_ARGUMENTS:
        raise ToolFailed("The arguments are too long.")
    try:
        values = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        raise ToolFailed("The arguments are not valid JSON.") from None
    if not isinstance(values, dict):
        raise ToolFailed("The arguments must be a JSON object.")
    return values
