"""POST /v1/audio/transcriptions and /v1/audio/translations: recordings → text."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing

from fastapi import APIRouter
from starlette.responses import Response

from extensions.openai.common.context import Caller, CurrentCaller
from extensions.openai.common.forms import read_form
from extensions.openai.common.program import program_of
from extensions.openai.common.stream import event_stream, while_connected
from extensions.openai.transcriptions.inbound import (
    WantedAnswer,
    fields_of,
    transcription_request,
    translation_request,
    wanted_answer,
)
from extensions.openai.transcriptions.outbound import TranscriptEncoder, answer
from extensions.openai.transcriptions.schema import (
    TranscriptionFields,
    TranscriptionText,
    TranslationFields,
    VerboseTranscription,
    form_documentation,
)
from modules.backends.transcription import SpokenSegment
from modules.errors import EngineFailed
from modules.media.transcription.service import Transcribed, TranscriptionEvent, TranscriptionRequest

router = APIRouter(tags=["Audio"])


@router.post(
    "/v1/audio/transcriptions",
    responses={200: {"model": TranscriptionText | VerboseTranscription}},
    openapi_extra=form_documentation(TranscriptionFields),
)
async def create_transcription(caller: CurrentCaller) -> Response:
    """What is said in a recording of any common format."""
    async with AsyncExitStack() as resources:
        form = await resources.enter_async_context(read_form(caller.request))
        fields = fields_of(form, TranscriptionFields)
        request, wanted = transcription_request(form, fields), wanted_answer(fields)
        return await _answered(caller, request, wanted, resources)


@router.post(
    "/v1/audio/translations",
    responses={200: {"model": TranscriptionText | VerboseTranscription}},
    openapi_extra=form_documentation(TranslationFields),
)
async def create_translation(caller: CurrentCaller) -> Response:
    """The same in English, whatever language is spoken."""
    async with AsyncExitStack() as resources:
        form = await resources.enter_async_context(read_form(caller.request))
        fields = fields_of(form, TranslationFields)
        request, wanted = translation_request(form, fields), wanted_answer(fields)
        return await _answered(caller, request, wanted, resources)


async def _answered(
    caller: Caller, request: TranscriptionRequest, wanted: WantedAnswer, resources: AsyncExitStack
) -> Response:
    """A stream takes the resources with it."""
    events = program_of(caller.context).transcription.transcribe(request)
    if wanted.streams:
        streamed = _holding(resources.pop_all(), events)
        return await event_stream(caller, streamed, TranscriptEncoder(wanted), dict)
    return await while_connected(caller, _whole(events, wanted))


async def _holding(
    resources: AsyncExitStack, events: AsyncGenerator[TranscriptionEvent, None]
) -> AsyncGenerator[TranscriptionEvent, None]:
    async with resources, aclosing(events):
        async for event in events:
            yield event


async def _whole(events: AsyncGenerator[TranscriptionEvent, None], wanted: WantedAnswer) -> Response:
    segments: list[SpokenSegment] = []
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Transcribed):
                return answer(segments, event, wanted)
            segments.append(event)
    raise EngineFailed("The transcription ended without its end.")
