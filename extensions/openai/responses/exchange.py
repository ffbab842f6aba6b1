"""One request to /v1/responses with all that it refers to, ready to be answered."""

from dataclasses import dataclass

from extensions.openai.common.presets import default_sampling
from extensions.openai.responses.bodies import StoredResponse
from extensions.openai.responses.inbound import chat_request, draft_of, presentation_of
from extensions.openai.responses.input_items import items_of, references
from extensions.openai.responses.items import Item
from extensions.openai.responses.outbound import ResponseStream
from extensions.openai.responses.pictures import without_earlier_pictures
from extensions.openai.responses.schema import CreateResponseRequest, PromptFields
from extensions.openai.responses.shelf import Shelf
from modules.errors import BadRequest, NotFound
from modules.requests import ChatRequest
from modules.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model is to read: `earlier` was stored, `new` came with the request."""

    earlier: list[Item]
    new: list[Item]

    @property
    def items(self) -> list[Item]:
        return [*self.earlier, *self.new]


@dataclass(frozen=True, slots=True)
class Exchange:
    """`request` goes down, `stream` makes the response of what comes back. `stores` says whether it is kept."""

    owner: str
    request: ChatRequest
    stream: ResponseStream
    reading: Reading
    conversation_id: str | None
    stores: bool

    @property
    def stored(self) -> StoredResponse:
        return StoredResponse(response=self.stream.response, input=self.reading.items)


async def exchange_of(body: CreateResponseRequest, owner: str, shelf: Shelf, runtime: Runtime) -> Exchange:
    """Raises BadRequest and NotFound."""
    stores = body.store is not False and not shelf.is_off
    if body.background and not stores:
        raise BadRequest("A response in the background has to be stored; leave out store.", param="background")
    reading = await reading_of(body, owner, shelf)
    defaults = await default_sampling(runtime, body.preset)
    request = chat_request(body, reading.items, runtime.settings, defaults=defaults)
    # Until it has begun; then it says itself which model answers.
    model = body.model or ""
    return Exchange(
        owner=owner,
        request=request,
        stream=ResponseStream(draft_of(body, request, model, reading.items), presentation_of(body, reading.items)),
        reading=reading,
        conversation_id=body.conversation.id if body.conversation else None,
        stores=stores,
    )


async def reading_of(body: PromptFields, owner: str, shelf: Shelf) -> Reading:
    """Raises BadRequest, and NotFound for a conversation."""
    if body.previous_response_id is not None and body.conversation is not None:
        raise BadRequest("Send previous_response_id or conversation, not both.", param="previous_response_id")
    earlier = await _earlier(body, owner, shelf)
    sent = body.input or []
    known = {item.id: item for item in earlier}
    stored = await shelf.items([item for item in references(sent) if item not in known], owner)
    return Reading(earlier, items_of(without_earlier_pictures(sent), stored | known))


async def _earlier(body: PromptFields, owner: str, shelf: Shelf) -> list[Item]:
    if body.conversation is not None:
        return (await shelf.conversation(body.conversation.id, owner, param="conversation")).items
    if body.previous_response_id is None:
        return []
    try:
        return (await shelf.response(body.previous_response_id, owner)).items
    except NotFound as error:
        raise BadRequest(error.message, param="previous_response_id", code="previous_response_not_found") from None
