"""/v1/conversations: items that responses go on from and add to."""

import time

from fastapi import APIRouter
from starlette.responses import Response

from extensions.openai.common.context import CurrentCaller
from extensions.openai.common.json_route import JsonRoute
from extensions.openai.responses.answers import full_answer
from extensions.openai.responses.bodies import Conversation, DeletedConversation, ItemList, StoredConversation
from extensions.openai.responses.desk import CurrentDesk
from extensions.openai.responses.input_items import items_of, references
from extensions.openai.responses.items import Item
from extensions.openai.responses.names import new_id
from extensions.openai.responses.pages import After, Limit, Order, page
from extensions.openai.responses.schema import (
    CreateConversationRequest,
    CreateItemsRequest,
    InputItem,
    UpdateConversationRequest,
)
from extensions.openai.responses.shelf import Shelf, missing, with_items, with_metadata, without_item

router = APIRouter(prefix="/v1/conversations", tags=["Conversations"], route_class=JsonRoute)


@router.post("", responses={200: {"model": Conversation}})
async def create_conversation(body: CreateConversationRequest, caller: CurrentCaller, desk: CurrentDesk) -> Response:
    """A new conversation, with its first items if there are any."""
    conversation = Conversation(id=new_id("conv"), created_at=int(time.time()), metadata=body.metadata or {})
    items = await _items(body.items or [], caller.owner, desk.shelf)
    await desk.shelf.keep_conversation(StoredConversation(conversation=conversation, items=items), caller.owner)
    return full_answer(conversation)


@router.get("/{conversation_id}", responses={200: {"model": Conversation}})
async def get_conversation(conversation_id: str, caller: CurrentCaller, desk: CurrentDesk) -> Response:
    """Without its items."""
    return full_answer((await desk.shelf.conversation(conversation_id, caller.owner)).conversation)


@router.post("/{conversation_id}", responses={200: {"model": Conversation}})
async def update_conversation(
    conversation_id: str, body: UpdateConversationRequest, caller: CurrentCaller, desk: CurrentDesk
) -> Response:
    """Changes the metadata."""
    changed = await desk.shelf.change_conversation(
        conversation_id, caller.owner, lambda stored: with_metadata(stored, body.metadata)
    )
    return full_answer(changed.conversation)


@router.delete("/{conversation_id}", responses={200: {"model": DeletedConversation}})
async def delete_conversation(conversation_id: str, caller: CurrentCaller, desk: CurrentDesk) -> Response:
    """Forgets the conversation and its items."""
    await desk.shelf.delete(conversation_id, caller.owner, "conversation")
    return full_answer(DeletedConversation(id=conversation_id))


@router.post("/{conversation_id}/items", responses={200: {"model": ItemList}})
async def create_items(
    conversation_id: str, body: CreateItemsRequest, caller: CurrentCaller, desk: CurrentDesk
) -> Response:
    """Adds items at the end, and answers with them."""
    items = await _items(body.items, caller.owner, desk.shelf)
    await desk.shelf.change_conversation(conversation_id, caller.owner, lambda stored: with_items(stored, items))
    return full_answer(page(items, limit=max(1, len(items)), order="asc", after=None))


@router.get("/{conversation_id}/items", responses={200: {"model": ItemList}})
async def list_items(
    conversation_id: str,
    caller: CurrentCaller,
    desk: CurrentDesk,
    limit: Limit = 20,
    order: Order = "desc",
    after: After = None,
) -> Response:
    """The items, page by page."""
    items = (await desk.shelf.conversation(conversation_id, caller.owner)).items
    return full_answer(page(items, limit=limit, order=order, after=after))


@router.get("/{conversation_id}/items/{item_id}")
async def get_item(conversation_id: str, item_id: str, caller: CurrentCaller, desk: CurrentDesk) -> Response:
    """One item."""
    items = (await desk.shelf.conversation(conversation_id, caller.owner)).items
    found = next((item for item in items if item.id == item_id), None)
    if found is None:
        raise missing("item", item_id)
    return full_answer(found)


@router.delete("/{conversation_id}/items/{item_id}", responses={200: {"model": Conversation}})
async def delete_item(conversation_id: str, item_id: str, caller: CurrentCaller, desk: CurrentDesk) -> Response:
    """Takes one item out, and answers with the conversation."""
    changed = await desk.shelf.change_conversation(
        conversation_id, caller.owner, lambda stored: without_item(stored, item_id)
    )
    return full_answer(changed.conversation)


async def _items(sent: list[InputItem], owner: str, shelf: Shelf) -> list[Item]:
    return items_of(sent, await shelf.items(references(sent), owner), param="items")
