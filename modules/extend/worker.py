"""Runs an extension's functions on a thread of its own, and says how they failed."""

import asyncio
import queue
import sys
import threading
import traceback
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from modules.errors import ServiceError


def place_of(failure: BaseException) -> str:
    """Kind and place of a failure, without its message, which may hold what was said in a chat."""
    frames = traceback.extract_tb(failure.__traceback__)
    where = f" at {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(failure).__name__}{where}"


def reason_for(failure: BaseException, folder: Path) -> str:
    """Why an extension was skipped, with what to do about it."""
    if isinstance(failure, ServiceError):
        return failure.message
    if isinstance(failure, ModuleNotFoundError) and failure.name:
        return (
            f"it needs the Python package {failure.name.partition('.')[0]}, which is not installed. {_remedy(folder)}"
        )
    return f"{type(failure).__name__}: {failure} ({place_of(failure)})"


def _remedy(folder: Path) -> str:
    requirements = folder / "requirements.txt"
    if requirements.is_file():
        return f"Install what it needs: {sys.executable} -m pip install -r {requirements}"
    return f"Install it with {sys.executable} -m pip install, then start again."


# Not None: an extension's iterator may yield that.
_END: Final = object()
# A function of an extension that does not return must not hold up the end of the program.
_PATIENCE_SECONDS: Final = 1.0
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class ExtensionThread:
    """A thread that begins with the first call. It is a daemon: a function that never returns cannot keep the program
    from ending."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def call(
        self, function: Callable[_Arguments, _Result], *args: _Arguments.args, **kwargs: _Arguments.kwargs
    ) -> _Result:
        """What `function` returns, once its turn has come. Cancelled while it waits, it is not called at all."""
        future: Future[_Result] = Future()
        self._begin()
        self._jobs.put((future, lambda: function(*args, **kwargs)))
        return await asyncio.wrap_future(future)

    async def iterate(self, function: Callable[[], Iterator[_Result]]) -> AsyncGenerator[_Result, None]:
        """What the generator `function` yields; other calls may come between. Closing it closes the generator, which is
        waited for as long as `aclose` does."""
        items = await self.call(function)
        try:
            while (item := await self.call(next, items, _END)) is not _END:
                yield item  # type: ignore[misc]
        finally:
            if close := getattr(items, "close", None):
                closing = asyncio.create_task(self.call(close))
                closing.add_done_callback(_forget)
                await asyncio.wait([closing], timeout=_PATIENCE_SECONDS)

    async def aclose(self) -> None:
        """End the thread after what it has to do; what takes longer than a second is left alone with it."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(thread.join, _PATIENCE_SECONDS)

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"extension {self._name}", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, act = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(act())
            except BaseException as failure:  # noqa: BLE001 - raised to the caller that waits
                future.set_exception(failure)


def _forget(closing: "asyncio.Task[None]") -> None:
    """What a generator raises when it is closed is ignored."""
    if not closing.cancelled():
        closing.exception()
