"""The routes of /v1/responses and /v1/conversations."""

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from starlette.responses import Response

from extensions.openai.common.answers import ExtraHeaders, full_answer, new_id
from extensions.openai.common.context import Caller, CurrentCaller
from extensions.openai.common.items.inbound import items_of, references
from extensions.openai.common.items.schema import CustomToolCallItem, CustomToolCallOutputItem, InputItem, Item
from extensions.openai.common.middleware import JsonRoute
from extensions.openai.common.receipt import notes_for
from extensions.openai.common.stream import Feed, feed_response, while_connected
from extensions.openai.responses.inbound import tools_of
from extensions.openai.responses.schema import (
    ConversationObject,
    CreateConversationRequest,
    CreateItemsRequest,
    CreateResponseRequest,
    DeletedConversation,
    DeletedResponse,
    InputTokenCount,
    InputTokensRequest,
    ItemList,
    ResponseObject,
    StoredConversation,
    UpdateConversationRequest,
)
from extensions.openai.responses.service import CurrentService
from extensions.openai.responses.store import ResponseRepository, missing, with_items, with_metadata, without_item
from extensions.openai.structured.constraint import unenforced_text
from modules.errors import BadRequest

Limit = Annotated[int, Query(ge=1, le=100, description="Maximum number of items on the page.")]
Order = Annotated[Literal["asc", "desc"], Query(description="Oldest or newest first.")]
After = Annotated[str | None, Query(description="The page begins after the item with this id.")]


def page(items: Sequence[Item], *, limit: int, order: str, after: str | None, has_statuses: bool = False) -> ItemList:
    """Raises BadRequest when `after` is none of the items. With `has_statuses` every item shows one."""
    ordered = list(items) if order == "asc" else list(reversed(items))
    start = 0 if after is None else _place(ordered, after) + 1
    shown = ordered[start : start + limit]
    return ItemList(
        data=[_shown(item, has_statuses) for item in shown],
        first_id=shown[0].id if shown else "",
        last_id=shown[-1].id if shown else "",
        has_more=start + limit < len(ordered),
    )


def _place(items: Sequence[Item], item_id: str) -> int:
    place = next((place for place, item in enumerate(items) if item.id == item_id), None)
    if place is None:
        raise BadRequest("There is no item with this id in the list.", param="after")
    return place


def _shown(item: Item, has_statuses: bool) -> dict[str, Any]:
    shown = item.model_dump()
    if has_statuses and isinstance(item, CustomToolCallItem | CustomToolCallOutputItem):
        shown["status"] = "completed"
    return shown


router = APIRouter(prefix="/v1/responses", tags=["Responses"], route_class=JsonRoute)


@router.post("", responses={200: {"model": ResponseObject}})
async def create_response(body: CreateResponseRequest, caller: CurrentCaller, service: CurrentService) -> Response:
    """A reply to the input; with `stream`, as server-sent events; with `background`, to be fetched later."""
    left_out = (*tools_of(body).left_out, *unenforced_text(body.text))
    prepared = await service.prepare(body, caller.owner)
    remarks = prepared.stream.remarks = ExtraHeaders(body, left_out, notes=notes_for(caller.request))
    prepared = replace(prepared, request=replace(prepared.request, wants_facts=remarks.notes is not None))
    headers = remarks.headers

    if body.background:
        run = service.in_background(prepared)
        if not body.stream:
            return full_answer(run.response, headers())
        return await _streamed(caller, run.follow(-1), run.interrupted, headers)
    if body.stream:
        return await _streamed(caller, service.streamed(prepared), prepared.stream.fail, headers)
    response = await while_connected(caller, service.whole(prepared))
    return full_answer(response, headers(), remarks.receipt)


@router.post("/input_tokens", responses={200: {"model": InputTokenCount}})
async def count_input_tokens(body: InputTokensRequest, caller: CurrentCaller, service: CurrentService) -> Response:
    """How many tokens the prompt of such a request has."""
    count = await while_connected(caller, service.count(body, caller.owner))
    return full_answer(InputTokenCount(input_tokens=count))


@router.get("/{response_id}", responses={200: {"model": ResponseObject}})
async def get_response(
    response_id: str,
    caller: CurrentCaller,
    service: CurrentService,
    stream: Annotated[bool, Query(description="Its events; for responses in the background.")] = False,
    starting_after: Annotated[int, Query(ge=-1, description="Only events with larger numbers.")] = -1,
) -> Response:
    """A stored response, or one in the background as it is now."""
    if stream:
        run = await service.followed(response_id, caller.owner)
        return await _streamed(caller, run.follow(starting_after), run.interrupted, dict)
    return full_answer((await service.find(response_id, caller.owner)).response)


@router.delete("/{response_id}", responses={200: {"model": DeletedResponse}})
async def delete_response(response_id: str, caller: CurrentCaller, service: CurrentService) -> Response:
    """Forgets a stored response; what went on from it keeps what it read."""
    await service.delete(response_id, caller.owner)
    return full_answer(DeletedResponse(id=response_id))


@router.post("/{response_id}/cancel", responses={200: {"model": ResponseObject}})
async def cancel_response(response_id: str, caller: CurrentCaller, service: CurrentService) -> Response:
    """Ends a response in the background; one that is over stays as it is."""
    return full_answer(await service.cancel(response_id, caller.owner))


@router.get("/{response_id}/input_items", responses={200: {"model": ItemList}})
async def list_input_items(
    response_id: str,
    caller: CurrentCaller,
    service: CurrentService,
    limit: Limit = 20,
    order: Order = "desc",
    after: After = None,
) -> Response:
    """Everything that the model read for this response, but for its instructions."""
    items = (await service.find(response_id, caller.owner)).input
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


conversations = APIRouter(prefix="/v1/conversations", tags=["Conversations"], route_class=JsonRoute)


@conversations.post("", responses={200: {"model": ConversationObject}})
async def create_conversation(
    body: CreateConversationRequest, caller: CurrentCaller, service: CurrentService
) -> Response:
    """A new conversation, with its first items if there are any."""
    conversation = ConversationObject(id=new_id("conv"), created_at=int(time.time()), metadata=body.metadata or {})
    items = await _items(body.items or [], caller.owner, service.repository)
    await service.repository.keep_conversation(StoredConversation(conversation=conversation, items=items), caller.owner)
    return full_answer(conversation)


@conversations.get("/{conversation_id}", responses={200: {"model": ConversationObject}})
async def get_conversation(conversation_id: str, caller: CurrentCaller, service: CurrentService) -> Response:
    """Without its items."""
    return full_answer((await service.repository.conversation(conversation_id, caller.owner)).conversation)


@conversations.post("/{conversation_id}", responses={200: {"model": ConversationObject}})
async def update_conversation(
    conversation_id: str, body: UpdateConversationRequest, caller: CurrentCaller, service: CurrentService
) -> Response:
    """Changes the metadata."""
    changed = await service.repository.change_conversation(
        conversation_id, caller.owner, lambda stored: with_metadata(stored, body.metadata)
    )
    return full_answer(changed.conversation)


@conversations.delete("/{conversation_id}", responses={200: {"model": DeletedConversation}})
async def delete_conversation(conversation_id: str, caller: CurrentCaller, service: CurrentService) -> Response:
    """Forgets the conversation and its items."""
    await service.repository.delete(conversation_id, caller.owner, "conversation")
    return full_answer(DeletedConversation(id=conversation_id))


@conversations.post("/{conversation_id}/items", responses={200: {"model": ItemList}})
async def create_items(
    conversation_id: str, body: CreateItemsRequest, caller: CurrentCaller, service: CurrentService
) -> Response:
    """Adds items at the end, and answers with them."""
    items = await _items(body.items, caller.owner, service.repository)
    await service.repository.change_conversation(
        conversation_id, caller.owner, lambda stored: with_items(stored, items)
    )
    return full_answer(page(items, limit=max(1, len(items)), order="asc", after=None))


@conversations.get("/{conversation_id}/items", responses={200: {"model": ItemList}})
async def list_items(
    conversation_id: str,
    caller: CurrentCaller,
    service: CurrentService,
    limit: Limit = 20,
    order: Order = "desc",
    after: After = None,
) -> Response:
    """The items, page by page."""
    items = (await service.repository.conversation(conversation_id, caller.owner)).items
    return full_answer(page(items, limit=limit, order=order, after=after))


@conversations.get("/{conversation_id}/items/{item_id}")
async def get_item(conversation_id: str, item_id: str, caller: CurrentCaller, service: CurrentService) -> Response:
    """One item."""
    items = (await service.repository.conversation(conversation_id, caller.owner)).items
    found = next((item for item in items if item.id == item_id), None)
    if found is None:
        raise missing("item", item_id)
    return full_answer(found)


@conversations.delete("/{conversation_id}/items/{item_id}", responses={200: {"model": ConversationObject}})
async def delete_item(conversation_id: str, item_id: str, caller: CurrentCaller, service: CurrentService) -> Response:
    """Takes one item out, and answers with the conversation."""
    changed = await service.repository.change_conversation(
        conversation_id, caller.owner, lambda stored: without_item(stored, item_id)
    )
    return full_answer(changed.conversation)


async def _items(sent: list[InputItem], owner: str, repository: ResponseRepository) -> list[Item]:
    return items_of(sent, await repository.items(references(sent), owner), param="items")
