"""POST /v1/chat/completions."""

from dataclasses import replace

from fastapi import APIRouter
from starlette.responses import Response

from extensions.openai.chat.inbound import chat_request, chat_tools
from extensions.openai.chat.knowledge import with_knowledge
from extensions.openai.chat.outbound import CallStyle, ChatPresentation, ChatStream, chat_completion
from extensions.openai.chat.schema import ChatCompletion, ChatCompletionRequest
from extensions.openai.common.answers import ExtraHeaders, json_answer
from extensions.openai.common.context import CurrentCaller
from extensions.openai.common.generation import default_sampling
from extensions.openai.common.middleware import JsonRoute
from extensions.openai.common.receipt import notes_for
from extensions.openai.common.stream import event_stream, is_plain_script, parses_every_event, while_connected
from extensions.openai.structured.constraint import unenforced_text
from modules.reply.gather import gather

router = APIRouter(tags=["Chat completions"], route_class=JsonRoute)


@router.post("/v1/chat/completions", responses={200: {"model": ChatCompletion}})
async def create_chat_completion(body: ChatCompletionRequest, caller: CurrentCaller) -> Response:
    """A reply to a conversation; with `stream`, as server-sent events."""
    runtime = caller.context.runtime
    toolbox = chat_tools(body)
    defaults = await default_sampling(runtime, body.preset)
    request = chat_request(body, runtime.settings, toolbox=toolbox, defaults=defaults)
    request, citations = await with_knowledge(runtime, request, body.knowledge)
    presentation = ChatPresentation(
        has_logprobs=request.logprobs is not None,
        citations=citations,
        continued=request.messages[-1].text if body.continue_ else "",
        mirrors_calls=is_plain_script(caller),
        calls=CallStyle(toolbox.customs, toolbox.is_legacy),
    )
    remarks = ExtraHeaders(body, (*toolbox.left_out, *unenforced_text(body.text)), notes=notes_for(caller.request))
    request = replace(request, wants_facts=remarks.notes is not None)
    events = remarks.reading(runtime.chat.chat(request, owner=caller.owner))
    if not body.stream:
        reply = await while_connected(caller, gather(events))
        return json_answer(chat_completion(reply, presentation), remarks.headers(), remarks.receipt)
    encoder = ChatStream(
        presentation,
        n=request.limits.n,
        wants_usage=body.wants_usage,
        fills_deltas=parses_every_event(caller),
        receipt=lambda: remarks.receipt,
    )
    return await event_stream(caller, events, encoder, remarks.headers)
