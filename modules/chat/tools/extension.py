"""Tools of extensions: functions of this process, called on a thread or as coroutines."""

import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeAlias

from modules.chat.tools.base import Origin, Shelf, ToolFailed, answer_text
from modules.messages import ToolSpec

ToolFunction: TypeAlias = Callable[[dict[str, Any]], object | Awaitable[object]]


@dataclass(frozen=True, slots=True)
class ExtensionTool:
    """`function` takes the arguments and returns text or a JSON-able value, or a coroutine of one."""

    spec: ToolSpec
    function: ToolFunction


class ExtensionTools:
    def __init__(self, tools: Sequence[ExtensionTool], origin: Origin = Origin.EXTENSION) -> None:
        self.origin = origin
        self._tools = {tool.spec.name: tool for tool in tools}

    async def shelf(self) -> Shelf:
        return Shelf(specs=tuple(tool.spec for tool in self._tools.values()))

    async def find(self, name: str) -> ToolSpec | None:
        return (await self.shelf()).find(name)

    async def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        function = self._tools[name].function
        try:
            if inspect.iscoroutinefunction(function):
                return answer_text(await function(dict(arguments)))
            return answer_text(await _in_own_thread(function, dict(arguments)))
        except ToolFailed:
            raise
        except Exception as error:
            raise ToolFailed(f"{type(error).__name__}: {error}") from error

    async def aclose(self) -> None:
        return


async def _in_own_thread(function: ToolFunction, arguments: dict[str, Any]) -> object:
    """Not in the pool: a function that never ends would keep one of its few threads, and the program from ending."""
    answer: Future[object] = Future()
    answer.set_running_or_notify_cancel()

    def run() -> None:
        try:
            answer.set_result(function(arguments))
        except Exception as error:  # noqa: BLE001 - whatever broke, who waits for it must hear of it
            answer.set_exception(error)

    threading.Thread(target=run, daemon=True, name="extension tool").start()
    return await asyncio.wrap_future(answer)
