"""POST /v1/completions."""

from dataclasses import replace

from fastapi import APIRouter
from starlette.responses import Response

from extensions.openai.common.answers import ExtraHeaders, json_answer
from extensions.openai.common.context import CurrentCaller
from extensions.openai.common.generation import default_sampling
from extensions.openai.common.middleware import JsonRoute
from extensions.openai.common.receipt import notes_for
from extensions.openai.common.stream import event_stream, while_connected
from extensions.openai.completions.inbound import choosing_of, completion_request
from extensions.openai.completions.outbound import CompletionPresentation, TextStream, text_completion
from extensions.openai.completions.schema import TextCompletion, TextCompletionRequest
from modules.chat.service import ChatService
from modules.reply.gather import gather
from modules.requests import CompletionRequest, MixedPrompt

router = APIRouter(tags=["Text completions"], route_class=JsonRoute)


@router.post("/v1/completions", responses={200: {"model": TextCompletion}})
async def create_completion(body: TextCompletionRequest, caller: CurrentCaller) -> Response:
    """A text's continuation; with `stream`, as server-sent events."""
    runtime = caller.context.runtime
    request = completion_request(body, runtime.settings, defaults=await default_sampling(runtime, body.preset))
    presentation = CompletionPresentation(
        choosing=choosing_of(body),
        echoes=await _texts(runtime.chat, request) if body.echo else None,
        has_logprobs=body.logprobs is not None,
    )
    remarks = ExtraHeaders(body, notes=notes_for(caller.request))
    request = replace(request, wants_facts=remarks.notes is not None)
    events = remarks.reading(runtime.chat.complete(request, owner=caller.owner))
    if not body.stream:
        reply = await while_connected(caller, gather(events))
        return json_answer(text_completion(reply, presentation), remarks.headers(), remarks.receipt)
    choices = len(request.prompts) * request.limits.n
    encoder = TextStream(presentation, choices=choices, wants_usage=body.wants_usage, receipt=lambda: remarks.receipt)
    return await event_stream(caller, events, encoder, remarks.headers)


async def _texts(chat: ChatService, request: CompletionRequest) -> list[str]:
    return [await _text(chat, prompt) for prompt in request.prompts]


async def _text(chat: ChatService, prompt: str | tuple[int, ...] | MixedPrompt) -> str:
    match prompt:
        case str():
            return prompt
        case MixedPrompt():
            return prompt.text
    return await chat.decode(prompt)
