"""POST /v1/messages and /v1/messages/count_tokens, as Anthropic's clients send them."""

from dataclasses import replace
from functools import partial

from fastapi import APIRouter
from starlette.responses import Response

from extensions.openai.common.answers import ExtraHeaders, json_answer
from extensions.openai.common.context import CurrentCaller
from extensions.openai.common.errors import anthropic_error_event, request_id_of
from extensions.openai.common.generation import default_sampling
from extensions.openai.common.middleware import JsonRoute
from extensions.openai.common.receipt import notes_for
from extensions.openai.common.stream import Feed, feed_response, while_connected
from extensions.openai.messages.inbound import (
    counted_request,
    left_out_of,
    message_request,
    omits_thinking,
    stop_sequences_of,
)
from extensions.openai.messages.outbound import MessageStream, whole_message
from extensions.openai.messages.schema import CountTokensRequest, MessageReply, MessagesRequest, TokenCount
from modules.errors import ContextTooLong

router = APIRouter(prefix="/v1/messages", tags=["Messages"], route_class=JsonRoute)


@router.post("", responses={200: {"model": MessageReply}})
async def create_message(body: MessagesRequest, caller: CurrentCaller) -> Response:
    """A reply to a conversation in Anthropic's shape; with `stream`, as server-sent events."""
    runtime = caller.context.runtime
    request = message_request(body, runtime.settings, await default_sampling(runtime, body.preset))
    stops, omits = stop_sequences_of(body), omits_thinking(body)
    remarks = ExtraHeaders(body, left_out_of(body), notes=notes_for(caller.request))
    request = replace(request, wants_facts=remarks.notes is not None)
    events = remarks.reading(runtime.chat.chat(request, owner=caller.owner))
    if not body.stream:
        message = whole_message(events, stop_sequences=stops, omits_thinking=omits)
        return json_answer(await while_connected(caller, message), remarks.headers(), remarks.receipt)
    encoder = MessageStream(stop_sequences=stops, omits_thinking=omits, receipt=lambda: remarks.receipt)
    failure = partial(anthropic_error_event, request_id=request_id_of(caller.request.scope))
    return await feed_response(caller, Feed(events, encoder, failure=failure), remarks.headers)


@router.post("/count_tokens", responses={200: {"model": TokenCount}})
async def count_tokens(body: CountTokensRequest, caller: CurrentCaller) -> Response:
    """How many tokens the prompt of such a request has, however many the model can take."""
    runtime = caller.context.runtime
    request = counted_request(body, runtime.settings)
    try:
        count = await while_connected(caller, runtime.chat.count_tokens(request, owner=caller.owner))
    except ContextTooLong as long:
        count = long.prompt_tokens
    return json_answer(TokenCount(input_tokens=count), {})
