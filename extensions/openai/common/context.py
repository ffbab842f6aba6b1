"""What every route can reach, and waiting that ends when the client disconnects or the server stops."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn, Protocol, TypeVar

from fastapi import Depends
from starlette.requests import Request
from starlette.types import Receive

from extensions.openai.common.errors import ClientGone, ShuttingDown, log_unexpected
from modules.chat.citations import Citation
from modules.chat.service import ChatService
from modules.errors import ServiceError
from modules.requests import ChatRequest
from modules.settings.values import Settings


class PresetReader(Protocol):
    def read(self, name: str) -> Mapping[str, object]:
        """Fields of `Sampling`. Raises BadRequest."""
        ...


class LibraryOfPresets(Protocol):
    @property
    def presets(self) -> PresetReader: ...


class GivingKnowledge(Protocol):
    """As of `KnowledgeMessages`."""

    async def names(self) -> list[str]: ...

    async def given_to(
        self, request: ChatRequest, collections: Sequence[str], *, context: int | None
    ) -> tuple[ChatRequest, list[Citation]]: ...


class AnsweringRuntime(Protocol):
    """What endpoints that answer requests need of the runtime. Those that manage models take all of it, from
    `program_of`."""

    @property
    def settings(self) -> Settings: ...

    @property
    def chat(self) -> ChatService: ...

    @property
    def library(self) -> LibraryOfPresets: ...

    @property
    def knowledge_messages(self) -> GivingKnowledge: ...


@dataclass(frozen=True, slots=True)
class Context:
    """`closing` is set once the server is being stopped."""

    runtime: AnsweringRuntime
    closing: asyncio.Event


@dataclass(frozen=True, slots=True)
class Caller:
    """One request's side of the wire. `owner` names whose work it is."""

    request: Request
    owner: str
    context: Context

    @property
    def user_agent(self) -> str:
        return self.request.headers.get("user-agent", "")


def context_of(request: Request) -> Context:
    context = request.app.state.context
    assert isinstance(context, Context)
    return context


def caller_of(request: Request) -> Caller:
    return Caller(request, request.state.owner, context_of(request))


CurrentContext = Annotated[Context, Depends(context_of)]
CurrentCaller = Annotated[Caller, Depends(caller_of)]


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
