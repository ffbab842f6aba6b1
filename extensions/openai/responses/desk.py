"""The story of a response: what it refers to is looked up, the model answers, and what came of it is kept."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from extensions.openai.responses.background import Backgrounds, Run
from extensions.openai.responses.bodies import ResponseObject, StoredResponse
from extensions.openai.responses.exchange import Exchange, exchange_of, reading_of
from extensions.openai.responses.inbound import prompt_request
from extensions.openai.responses.schema import CreateResponseRequest, InputTokensRequest
from extensions.openai.responses.shelf import Shelf, with_items
from modules.errors import BadRequest, ContextTooLong, NotFound
from modules.runtime import Runtime

logger = logging.getLogger(__name__)


class Desk:
    """Answers requests to /v1/responses; `closing` ends what goes on in the background."""

    def __init__(self, runtime: Runtime, closing: asyncio.Event) -> None:
        self._runtime = runtime
        self.shelf = Shelf.of(runtime.settings)
        self._backgrounds = Backgrounds(self.events, self._keep, closing)

    async def prepare(self, body: CreateResponseRequest, owner: str) -> Exchange:
        """Raises BadRequest and NotFound."""
        return await exchange_of(body, owner, self.shelf, self._runtime)

    async def events(self, exchange: Exchange) -> AsyncGenerator[bytes, None]:
        """The response's events; it is kept before the last ones are sent, so that the next request finds it."""
        async with aclosing(self._runtime.chat.chat(exchange.request, owner=exchange.owner)) as events:
            try:
                async for event in events:
                    frames = exchange.stream.encode(event)
                    if exchange.stream.is_over:
                        await self._keep(exchange)
                    if frames:
                        yield frames
            except ContextTooLong as error:
                raise ContextTooLong(prompt_tokens=error.prompt_tokens, context=error.context, param="input") from None

    async def streamed(self, exchange: Exchange) -> AsyncGenerator[bytes, None]:
        """The same for a stream: an input that is too long is an event, after which agents shorten it and go on."""
        async with aclosing(self.events(exchange)) as events:
            try:
                async for frames in events:
                    yield frames
            except ContextTooLong as error:
                yield exchange.stream.fail(error)

    async def whole(self, exchange: Exchange) -> ResponseObject:
        async with aclosing(self.events(exchange)) as events:
            async for _ in events:
                pass
        return exchange.stream.response

    def in_background(self, exchange: Exchange) -> Run:
        """Raises Busy."""
        return self._backgrounds.start(exchange)

    async def count(self, body: InputTokensRequest, owner: str) -> int:
        """Tokens of the prompt that a request with these fields would have."""
        reading = await reading_of(body, owner, self.shelf)
        request = prompt_request(body, reading.items, body.model, self._runtime.settings)
        return len(await self._runtime.chat.encode_chat(request))

    async def find(self, response_id: str, owner: str) -> StoredResponse:
        """Raises NotFound."""
        run = self._backgrounds.find(response_id, owner)
        return run.exchange.stored if run is not None else await self.shelf.response(response_id, owner)

    async def followed(self, response_id: str, owner: str) -> Run:
        """A response in the background, under way or just over. Raises NotFound, and BadRequest for any other."""
        run = self._backgrounds.find(response_id, owner)
        if run is not None:
            return run
        await self.shelf.response(response_id, owner)
        raise BadRequest(
            "Only a response in the background can be streamed again, and only for some minutes after its end.",
            param="stream",
        )

    async def cancel(self, response_id: str, owner: str) -> ResponseObject:
        """Raises NotFound, and BadRequest for a response that was not made in the background."""
        if (run := self._backgrounds.find(response_id, owner)) is not None:
            await self._backgrounds.cancel(run)
        response = (await self.find(response_id, owner)).response
        if not response.background:
            raise BadRequest("Only a response in the background can be cancelled.", param="response_id")
        return response

    async def delete(self, response_id: str, owner: str) -> None:
        """Raises NotFound."""
        if (run := self._backgrounds.find(response_id, owner)) is not None:
            await self._backgrounds.cancel(run)
            self._backgrounds.forget(run)
        await self.shelf.delete(response_id, owner, "response")

    async def _keep(self, exchange: Exchange) -> None:
        stored = exchange.stored
        if exchange.stores:
            await self.shelf.keep_response(stored, exchange.owner)
        if exchange.conversation_id is None:
            return
        news = [*exchange.reading.new, *stored.response.output]
        try:
            await self.shelf.change_conversation(
                exchange.conversation_id, exchange.owner, lambda conversation: with_items(conversation, news)
            )
        except NotFound:
            logger.info("A conversation was deleted while a response was being added to it.")


def desk_of(request: Request) -> Desk:
    desk = request.app.state.responses
    assert isinstance(desk, Desk)
    return desk


CurrentDesk = Annotated[Desk, Depends(desk_of)]
