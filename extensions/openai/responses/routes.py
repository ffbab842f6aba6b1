"""/v1/responses: created whole, streamed or in the background; fetched, cancelled, deleted, counted."""

from collections.abc import AsyncGenerator, Callable
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from extensions.openai.common.answers import Remarks
from extensions.openai.common.context import Caller, CurrentCaller
from extensions.openai.common.json_route import JsonRoute
from extensions.openai.common.stream import Feed, feed_response, while_connected
from extensions.openai.responses.answers import full_answer
from extensions.openai.responses.bodies import DeletedResponse, InputTokenCount, ItemList, ResponseObject
from extensions.openai.responses.desk import CurrentDesk
from extensions.openai.responses.inbound import tools_of, unenforced_text
from extensions.openai.responses.pages import After, Limit, Order, page
from extensions.openai.responses.pictures import without_earlier_pictures
from extensions.openai.responses.schema import CreateResponseRequest, InputTokensRequest
from modules.prompt.conversation.pictures import LEFT_OUT

router = APIRouter(prefix="/v1/responses", tags=["Responses"], route_class=JsonRoute)


@router.post("", responses={200: {"model": ResponseObject}})
async def create_response(body: CreateResponseRequest, caller: CurrentCaller, desk: CurrentDesk) -> Response:
    """A reply to the input; with `stream`, as server-sent events; with `background`, to be fetched later."""
    left_out, sent = (*tools_of(body).left_out, *unenforced_text(body.text)), body.input or []
    repairs = (LEFT_OUT,) if without_earlier_pictures(sent) != sent else ()
    exchange = await desk.prepare(body, caller.owner)

    def headers() -> dict[str, str]:
        return Remarks(body, left_out, repairs, exchange.stream.started).headers()

    if body.background:
        run = desk.in_background(exchange)
        if not body.stream:
            return full_answer(run.response, headers())
        return await _streamed(caller, run.follow(-1), run.broken_off, headers)
    if body.stream:
        return await _streamed(caller, desk.streamed(exchange), exchange.stream.fail, headers)
    return full_answer(await while_connected(caller, desk.whole(exchange)), headers())


@router.post("/input_tokens", responses={200: {"model": InputTokenCount}})
async def count_input_tokens(body: InputTokensRequest, caller: CurrentCaller, desk: CurrentDesk) -> Response:
    """How many tokens the prompt of such a request has."""
    count = await while_connected(caller, desk.count(body, caller.owner))
    return full_answer(InputTokenCount(input_tokens=count))


@router.get("/{response_id}", responses={200: {"model": ResponseObject}})
async def get_response(
    response_id: str,
    caller: CurrentCaller,
    desk: CurrentDesk,
    stream: Annotated[bool, Query(description="Its events; for responses in the background.")] = False,
    starting_after: Annotated[int, Query(ge=-1, description="Only events with larger numbers.")] = -1,
) -> Response:
    """A stored response, or one in the background as it is now."""
    if stream:
        run = await desk.followed(response_id, caller.owner)
        return await _streamed(caller, run.follow(starting_after), run.broken_off, dict)
    return full_answer((await desk.find(response_id, caller.owner)).response)


@router.delete("/{response_id}", responses={200: {"model": DeletedResponse}})
async def delete_response(response_id: str, caller: CurrentCaller, desk: CurrentDesk) -> Response:
    """Forgets a stored response; what went on from it keeps what it read."""
    await desk.delete(response_id, caller.owner)
    return full_answer(DeletedResponse(id=response_id))


@router.post("/{response_id}/cancel", responses={200: {"model": ResponseObject}})
async def cancel_response(response_id: str, caller: CurrentCaller, desk: CurrentDesk) -> Response:
    """Ends a response in the background; one that is over stays as it is."""
    return full_answer(await desk.cancel(response_id, caller.owner))


@router.get("/{response_id}/input_items", responses={200: {"model": ItemList}})
async def list_input_items(
    response_id: str,
    caller: CurrentCaller,
    desk: CurrentDesk,
    limit: Limit = 20,
    order: Order = "desc",
    after: After = None,
) -> Response:
    """Everything that the model read for this response, but for its instructions."""
    items = (await desk.find(response_id, caller.owner)).input
    return full_answer(page(items, limit=limit, order=order, after=after, has_statuses=True))


class _AsTheyAre:
    """The events are bytes already."""

    def encode(self, event: bytes) -> bytes:
        return event

    def end(self) -> bytes:
        return b""


async def _streamed(
    caller: Caller,
    events: AsyncGenerator[bytes, None],
    failure: Callable[[Exception], bytes],
    headers: Callable[[], dict[str, str]],
) -> Response:
    return await feed_response(caller, Feed(events, _AsTheyAre(), failure=failure), headers)
