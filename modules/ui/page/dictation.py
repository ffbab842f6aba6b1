"""What is said into the page's microphone → text, for the page's own script."""

import asyncio
import logging
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from modules.backends.transcription import SpokenSegment
from modules.engine.types import ModelKind
from modules.errors import Busy, NotInstalled, ServiceError
from modules.media.transcription.service import TranscriptionRequest
from modules.runtime import Runtime

DICTATION: Final = "/dictation"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Spoken:
    """The body of a request as a file."""

    content: bytes

    async def read(self, size: int = -1) -> bytes:
        return self.content


def add_dictation(app: FastAPI, runtime: Runtime) -> None:
    """GET says whether there is a model, and has it loaded while the user speaks; POST transcribes a WAV file."""
    loads: set[asyncio.Task[None]] = set()

    async def prepare() -> JSONResponse:
        """`message` says what to do where there is no model."""
        try:
            await runtime.models.check_kind(ModelKind.TRANSCRIPTION)
        except NotInstalled as missing:
            return JSONResponse({"message": missing.message})
        if not loads:
            load = asyncio.create_task(_load(runtime))
            loads.add(load)
            load.add_done_callback(loads.discard)
        return JSONResponse({"message": ""})

    async def transcribe(request: Request) -> Response:
        try:
            return JSONResponse({"text": await _text(runtime, await request.body())})
        except ClientDisconnect:
            return Response(status_code=499)
        except ServiceError as failure:
            status = 429 if isinstance(failure, Busy) else 422
            return JSONResponse({"message": failure.message}, status)

    app.add_api_route(DICTATION, prepare, methods=["GET"], include_in_schema=False)
    app.add_api_route(DICTATION, transcribe, methods=["POST"], include_in_schema=False)


async def _text(runtime: Runtime, content: bytes) -> str:
    request = TranscriptionRequest(file=_Spoken(content))
    async with aclosing(runtime.transcription.transcribe(request)) as events:
        return "".join([event.text async for event in events if isinstance(event, SpokenSegment)]).strip()


async def _load(runtime: Runtime) -> None:
    try:
        async with runtime.models.lease(None, kind=ModelKind.TRANSCRIPTION):
            pass
    except ServiceError as failure:
        # Whoever speaks hears of it, too.
        _log.warning("The transcription model could not be loaded: %s", failure.message)
