"""Old scripts that have been imported, and their way from their own thread into the running program."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol, TypeVar

from modules.errors import ExtensionFailed, NotLoaded, ServiceError
from modules.extend.host import Host
from modules.runtime import Runtime
from modules.settings.values import Settings


def called(function: Callable[..., Any], *args: object, **offered: object) -> Any:  # noqa: ANN401 - what it returns
    """What `function` returns for as many of `args` as it takes by position, and those of `offered` that it names."""
    parameters = list(inspect.signature(function).parameters.values())
    named = {each.name for each in parameters}
    takes_all = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters)
    keywords = {name: value for name, value in offered.items() if takes_all or name in named}
    return function(*args[: _positions(parameters, keywords)], **keywords)


def _positions(parameters: list[inspect.Parameter], keywords: dict[str, object]) -> int | None:
    if any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in parameters):
        return None
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(each.kind in by_position and each.name not in keywords for each in parameters)


@dataclass(frozen=True, slots=True)
class OldScript:
    host: Host
    module: ModuleType

    @property
    def name(self) -> str:
        return self.host.name

    @property
    def params(self) -> dict[str, Any]:
        """Its own dictionary, or an empty one."""
        params = getattr(self.module, "params", None)
        return params if isinstance(params, dict) else {}

    def function(self, name: str) -> Callable[..., Any] | None:
        found = getattr(self.module, name, None)
        return found if callable(found) else None

    @contextmanager
    def blamed(self, name: str) -> Iterator[None]:
        """Whatever goes wrong with what its function of that name returned is put down to the script."""
        try:
            yield
        except ExtensionFailed:
            raise
        except ServiceError as failure:
            raise ExtensionFailed(f"The extension {self.name}, in {name}: {failure.message}") from failure
        except Exception as failure:
            function = self.function(name)
            assert function is not None
            raise self.host.blamed(function, failure) from failure

    async def call(self, name: str, *args: object, **offered: object) -> Any:  # noqa: ANN401 - what the script returns
        """What its function of that name returns, on the script's own thread."""
        function = self.function(name)
        assert function is not None

        def act() -> Any:  # noqa: ANN401 - the same
            return called(function, *args, **offered)

        act.__name__ = name
        return await self.host.call(act)


_Result = TypeVar("_Result")


class ScriptProgram(Protocol):
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

    def __init__(self, program: ScriptProgram) -> None:
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
        # Waiting on the loop's own thread would never end.
        if loop is None or loop is _running_loop():
            # Otherwise Python warns of a coroutine that was never awaited.
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
