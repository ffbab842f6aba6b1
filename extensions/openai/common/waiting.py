"""Waits for work and cancels it when the client disconnects or the server shuts down."""

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

from starlette.types import Receive

from extensions.openai.common.errors import ClientGone, ShuttingDown, log_unexpected
from modules.errors import ServiceError

T = TypeVar("T")


async def unless(work: Coroutine[Any, Any, T], *interruptions: Coroutine[Any, Any, NoReturn]) -> T:
    """The result of `work`; it is cancelled, and waited for, when one of `interruptions` raises first."""
    task = asyncio.create_task(work)
    watchers = [asyncio.create_task(interruption) for interruption in interruptions]
    try:
        await asyncio.wait((task, *watchers), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            await next(watcher for watcher in watchers if watcher.done())
        return await task
    finally:
        await end(task, *watchers)


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancels what still runs and waits until all have let go of what they held; what fails in that is logged."""
    running = [task for task in tasks if not task.done()]
    for task in running:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for task in running:
        failure = None if task.cancelled() else task.exception()
        # What fails while it is cancelled has no caller left to raise to.
        if isinstance(failure, Exception) and not isinstance(failure, ServiceError | ClientGone):
            log_unexpected(failure)


async def hung_up(receive: Receive) -> NoReturn:
    """To be called once the body has been read. Raises ClientGone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    raise ClientGone


async def stopped(closing: asyncio.Event) -> NoReturn:
    """Raises ShuttingDown."""
    await closing.wait()
    raise ShuttingDown("The server is being stopped.")
