"""Answers /v1/responses: resolves references, asks the model, stores the result."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request

from extensions.openai.common.context import AnsweringRuntime, end, stopped, unless
from extensions.openai.common.generation import default_sampling
from extensions.openai.common.items.inbound import items_of, references
from extensions.openai.common.items.outbound import EventEncoder
from extensions.openai.common.items.schema import Item
from extensions.openai.responses.inbound import (
    chat_request,
    draft_of,
    presentation_of,
    prompt_request,
)
from extensions.openai.responses.outbound import ResponseStream, failure_event
from extensions.openai.responses.schema import (
    CreateResponseRequest,
    InputTokensRequest,
    PromptFields,
    ResponseObject,
    StoredResponse,
)
from extensions.openai.responses.store import ResponseRepository, with_items
from modules.errors import BadRequest, Busy, ContextTooLong, NotFound
from modules.requests import ChatRequest

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class PromptItems:
    """What the model is to read: `earlier` was stored, `new` came with the request."""

    earlier: list[Item]
    new: list[Item]

    @property
    def items(self) -> list[Item]:
        return [*self.earlier, *self.new]


@dataclass(frozen=True, slots=True)
class PreparedResponse:
    """`request` goes down, `stream` makes the response of what comes back. `stores` says whether it is kept."""

    owner: str
    request: ChatRequest
    stream: ResponseStream
    prompt: PromptItems
    conversation_id: str | None
    stores: bool

    @property
    def stored(self) -> StoredResponse:
        return StoredResponse(response=self.stream.response, input=self.prompt.items)


async def prepared_response(
    body: CreateResponseRequest, owner: str, repository: ResponseRepository, runtime: AnsweringRuntime
) -> PreparedResponse:
    """Raises BadRequest and NotFound."""
    stores = body.store is not False and not repository.is_off
    if body.background and not stores:
        raise BadRequest("A background response has to be stored; leave out store.", param="background")
    prompt = await prompt_items(body, owner, repository)
    defaults = await default_sampling(runtime, body.preset)
    request = chat_request(body, prompt.items, runtime.settings, defaults=defaults)
    # Until it has begun; then it says itself which model answers.
    model = body.model or ""
    return PreparedResponse(
        owner=owner,
        request=request,
        stream=ResponseStream(draft_of(body, request, model, prompt.items), presentation_of(body, prompt.items)),
        prompt=prompt,
        conversation_id=body.conversation.id if body.conversation else None,
        stores=stores,
    )


async def prompt_items(body: PromptFields, owner: str, repository: ResponseRepository) -> PromptItems:
    """Raises BadRequest, and NotFound for a conversation."""
    if body.previous_response_id is not None and body.conversation is not None:
        raise BadRequest("Send previous_response_id or conversation, not both.", param="previous_response_id")
    earlier = await _earlier(body, owner, repository)
    sent = body.input or []
    known = {item.id: item for item in earlier}
    stored = await repository.items([item for item in references(sent) if item not in known], owner)
    return PromptItems(earlier, items_of(sent, stored | known))


async def _earlier(body: PromptFields, owner: str, repository: ResponseRepository) -> list[Item]:
    if body.conversation is not None:
        return (await repository.conversation(body.conversation.id, owner, param="conversation")).items
    if body.previous_response_id is None:
        return []
    try:
        return (await repository.response(body.previous_response_id, owner)).items
    except NotFound as error:
        raise BadRequest(error.message, param="previous_response_id", code="previous_response_not_found") from None


# Nobody is connected who would hang up, so without a bound they would pile up.
MAX_RUNNING: Final = 64
# Long enough for a client to come back for the rest of the events after its connection broke.
FOLLOWED_SECONDS: Final = 300


class BackgroundRun:
    """One response under way. Its event number i is `frames[i]`."""

    def __init__(self, prepared: PreparedResponse) -> None:
        self.prepared = prepared
        self.frames: list[bytes] = []
        self.is_over = False
        self._changed = asyncio.Event()

    @property
    def response(self) -> ResponseObject:
        return self.prepared.stream.response

    def add(self, frames: bytes) -> None:
        """One or more whole events."""
        # Callers resume after an event's number, so each event needs an entry of its own.
        self.frames += [frame + b"\n\n" for frame in frames.split(b"\n\n") if frame]
        self._changed.set()

    def end(self) -> None:
        self.is_over = True
        self._changed.set()

    def interrupted(self, error: Exception) -> bytes:
        """What a follower is told who cannot be told the rest."""
        return failure_event(EventEncoder(len(self.frames)), error)

    async def follow(self, after: int) -> AsyncGenerator[bytes, None]:
        """The events with numbers above `after`, to the end."""
        position = after + 1
        while True:
            if output := self.frames[position:]:
                position += len(output)
                yield b"".join(output)
            elif self.is_over:
                return
            else:
                self._changed.clear()
                await self._changed.wait()


class BackgroundRuns:
    """Every run, and for a while those that are over. `answer` gives a response's events, `keep` stores it."""

    def __init__(
        self,
        answer: Callable[[PreparedResponse], AsyncGenerator[bytes, None]],
        keep: Callable[[PreparedResponse], Awaitable[None]],
        closing: asyncio.Event,
    ) -> None:
        self._answer = answer
        self._keep = keep
        self._closing = closing
        self._runs: dict[str, BackgroundRun] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, prepared: PreparedResponse) -> BackgroundRun:
        """Raises Busy when too many are under way."""
        if len(self._tasks) >= MAX_RUNNING:
            raise Busy("Too many background responses are in progress. Try again later.")
        run = BackgroundRun(prepared)
        run.add(prepared.stream.begin())
        self._runs[run.response.id] = run
        self._tasks[run.response.id] = asyncio.create_task(self._carry(run))
        return run

    def find(self, response_id: str, owner: str) -> BackgroundRun | None:
        run = self._runs.get(response_id)
        return run if run is not None and run.prepared.owner == owner else None

    async def cancel(self, run: BackgroundRun) -> None:
        """Returns when it is over, as cancelled if it was not over before."""
        if task := self._tasks.get(run.response.id):
            await end(task)

    def forget(self, run: BackgroundRun) -> None:
        self._runs.pop(run.response.id, None)

    async def _carry(self, run: BackgroundRun) -> None:
        stream = run.prepared.stream
        try:
            await unless(self._listen(run), stopped(self._closing))
        # `cancel` ends the task: the response is over and is stored like any other, so nothing is raised further.
        except asyncio.CancelledError:
            stream.cancel()
            await self._keep(run.prepared)
        except Exception as error:  # noqa: BLE001 - whatever broke, the response tells of it
            run.add(stream.fail(error))
            await self._keep(run.prepared)
        finally:
            run.end()
            del self._tasks[run.response.id]
            asyncio.get_running_loop().call_later(FOLLOWED_SECONDS, self.forget, run)

    async def _listen(self, run: BackgroundRun) -> None:
        async with aclosing(self._answer(run.prepared)) as frames:
            async for frame in frames:
                run.add(frame)


class ResponseService:
    """Answers requests to /v1/responses; `closing` ends what goes on in the background."""

    def __init__(self, runtime: AnsweringRuntime, closing: asyncio.Event) -> None:
        self._runtime = runtime
        self.repository = ResponseRepository.of(runtime.settings)
        self._runs = BackgroundRuns(self.events, self._keep, closing)

    async def prepare(self, body: CreateResponseRequest, owner: str) -> PreparedResponse:
        """Raises BadRequest and NotFound."""
        return await prepared_response(body, owner, self.repository, self._runtime)

    async def events(self, prepared: PreparedResponse) -> AsyncGenerator[bytes, None]:
        """The response's events; it is kept before the last ones are sent, so that the next request finds it."""
        async with aclosing(self._runtime.chat.chat(prepared.request, owner=prepared.owner)) as events:
            try:
                async for event in events:
                    frames = prepared.stream.encode(event)
                    if prepared.stream.is_over:
                        await self._keep(prepared)
                    if frames:
                        yield frames
            except ContextTooLong as error:
                raise ContextTooLong(prompt_tokens=error.prompt_tokens, context=error.context, param="input") from None

    async def streamed(self, prepared: PreparedResponse) -> AsyncGenerator[bytes, None]:
        """The same for a stream: an input that is too long is an event, after which agents shorten it and go on."""
        async with aclosing(self.events(prepared)) as events:
            try:
                async for frames in events:
                    yield frames
            except ContextTooLong as error:
                yield prepared.stream.fail(error)

    async def whole(self, prepared: PreparedResponse) -> ResponseObject:
        async with aclosing(self.events(prepared)) as events:
            async for _ in events:
                pass
        return prepared.stream.response

    def in_background(self, prepared: PreparedResponse) -> BackgroundRun:
        """Raises Busy."""
        return self._runs.start(prepared)

    async def count(self, body: InputTokensRequest, owner: str) -> int:
        """Tokens of the prompt that a request with these fields would have."""
        prompt = await prompt_items(body, owner, self.repository)
        request = prompt_request(body, prompt.items, body.model, self._runtime.settings)
        return await self._runtime.chat.count_tokens(request, owner=owner)

    async def find(self, response_id: str, owner: str) -> StoredResponse:
        """Raises NotFound."""
        run = self._runs.find(response_id, owner)
        return run.prepared.stored if run is not None else await self.repository.response(response_id, owner)

    async def followed(self, response_id: str, owner: str) -> BackgroundRun:
        """A response in the background, under way or just over. Raises NotFound, and BadRequest for any other."""
        run = self._runs.find(response_id, owner)
        if run is not None:
            return run
        await self.repository.response(response_id, owner)
        raise BadRequest(
            "Only a background response can be streamed again, and only for some minutes after its end.",
            param="stream",
        )

    async def cancel(self, response_id: str, owner: str) -> ResponseObject:
        """Raises NotFound, and BadRequest for a response that was not made in the background."""
        if (run := self._runs.find(response_id, owner)) is not None:
            await self._runs.cancel(run)
        response = (await self.find(response_id, owner)).response
        if not response.background:
            raise BadRequest("Only a background response can be cancelled.", param="response_id")
        return response

    async def delete(self, response_id: str, owner: str) -> None:
        """Raises NotFound."""
        if (run := self._runs.find(response_id, owner)) is not None:
            await self._runs.cancel(run)
            self._runs.forget(run)
        await self.repository.delete(response_id, owner, "response")

    async def _keep(self, prepared: PreparedResponse) -> None:
        stored = prepared.stored
        if prepared.stores:
            await self.repository.keep_response(stored, prepared.owner)
        if prepared.conversation_id is None:
            return
        output = [*prepared.prompt.new, *stored.response.output]
        try:
            await self.repository.change_conversation(
                prepared.conversation_id, prepared.owner, lambda conversation: with_items(conversation, output)
            )
        except NotFound:
            logger.info("A conversation was deleted while a response was being added to it.")


def service_of(request: Request) -> ResponseService:
    service = request.app.state.responses
    assert isinstance(service, ResponseService)
    return service


CurrentService = Annotated[ResponseService, Depends(service_of)]
