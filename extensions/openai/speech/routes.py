"""POST /v1/audio/speech, and what there is to speak with."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from extensions.openai.common.answers import IGNORED_HEADER
from extensions.openai.common.context import CurrentCaller, CurrentContext
from extensions.openai.common.middleware import JsonRoute
from extensions.openai.common.program import program_of
from extensions.openai.common.stream import Feed, feed_response, while_connected
from extensions.openai.speech.inbound import ignored_fields, speech_request
from extensions.openai.speech.outbound import CONTENT_TYPES, SoundBytes, SoundEvents, SoundResponse, break_off
from extensions.openai.speech.schema import (
    SpeechCreateRequest,
    SpeechModelEntry,
    SpeechModelList,
    VoiceEntry,
    VoiceList,
)
from modules.media.speech.service import SpeechRequest, SpokenSentence
from modules.media.speech.voices import OPENAI_VOICES

router = APIRouter(tags=["Audio"], route_class=JsonRoute)

_SOUND: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {kind: {} for kind in (*CONTENT_TYPES.values(), "text/event-stream")}}
}


@router.post("/v1/audio/speech", responses=_SOUND, response_class=Response)
async def speak(body: SpeechCreateRequest, caller: CurrentCaller) -> Response:
    """Speaks a text. The sound is sent sentence by sentence."""
    request = speech_request(body)
    ignored = ignored_fields(body)
    headers = {IGNORED_HEADER: ", ".join(ignored)} if ignored else {}
    spoken = program_of(caller.context).speech.speak(request)
    if body.stream_format == "sse":
        return await feed_response(caller, Feed(spoken, SoundEvents()), lambda: headers)
    headers |= _sound_headers(request)
    if request.format.is_whole:
        return Response(await while_connected(caller, _whole(spoken)), headers=headers)
    feed = Feed(spoken, SoundBytes(), failure=break_off)
    return await feed_response(caller, feed, lambda: headers, SoundResponse)


@router.get("/v1/audio/voices", response_model=VoiceList)
async def list_voices(context: CurrentContext, model: str | None = None) -> VoiceList:
    """The voices of the speech models on disk, and OpenAI's names, which stand for some of them."""
    models = await program_of(context).speech.models()
    entries = [
        VoiceEntry(id=name, name=name, model=each.name)
        for each in models
        if model in {None, "", each.name}
        for name in each.voices.names
    ]
    known = {entry.id for entry in entries}
    others = [name for name in OPENAI_VOICES if name not in known] if entries else []
    return VoiceList(voices=[*entries, *(VoiceEntry(id=name, name=name, model=models[0].name) for name in others)])


@router.get("/v1/audio/models", response_model=SpeechModelList)
async def list_speech_models(context: CurrentContext) -> SpeechModelList:
    """The speech models on disk, the default one first."""
    return SpeechModelList(
        models=[SpeechModelEntry(id=model.name) for model in await program_of(context).speech.models()]
    )


def _sound_headers(request: SpeechRequest) -> dict[str, str]:
    headers = {"Content-Type": CONTENT_TYPES[request.format.name]}
    if request.format.name == "pcm":
        # Players assume this much, and the type has no room for it in their eyes.
        headers["X-Audio-Format"] = f"s16le; rate={request.format.rate}; channels=1"
    return headers


async def _whole(spoken: AsyncGenerator[SpokenSentence, None]) -> bytes:
    async with aclosing(spoken) as pieces:
        return b"".join([piece.data async for piece in pieces])
