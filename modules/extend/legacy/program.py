"""What old scripts share, and their way from a thread of their own into the running program."""

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Iterator
from typing import Any, Protocol, TypeVar

from modules.errors import NotLoaded
from modules.extend.legacy.script import OldScript
from modules.runtime import Runtime
from modules.settings.values import Settings

_Result = TypeVar("_Result")


class Program(Protocol):
    @property
    def settings(self) -> Settings: ...

    @property
    def runtime(self) -> Runtime: ...

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None: ...

    @property
    def components(self) -> dict[str, Any]: ...

    def values_of(self, extension: str) -> dict[str, object]: ...


class OldProgram:
    """`scripts` are in the order in which they are applied. `components` are those of the page, by the names that old
    scripts know them by."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.scripts: list[OldScript] = []

    @property
    def components(self) -> dict[str, Any]:
        return self._program.components

    @property
    def settings(self) -> Settings:
        return self._program.settings

    @property
    def runtime(self) -> Runtime:
        return self._program.runtime

    def values_of(self, extension: str) -> dict[str, object]:
        return self._program.values_of(extension)

    def wait(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """What `work` returns when the event loop has done it. Raises NotLoaded where that cannot be waited for."""
        loop = self._program.loop
        if loop is None or loop is _running_loop():
            work.close()
            raise NotLoaded(
                "The model can be asked once the program runs, and from a thread: in a hook or in an event of the page."
            )
        return asyncio.run_coroutine_threadsafe(work, loop).result()

    def items(self, stream: AsyncGenerator[_Result, None]) -> Iterator[_Result]:
        """What `stream` yields; closed with the iterator."""
        try:
            while (item := self.wait(anext(stream, None))) is not None:
                yield item
        finally:
            self.wait(stream.aclose())


def _running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
