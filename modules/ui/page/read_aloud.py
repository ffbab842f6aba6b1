"""Replies → sound, for the page's own script.

It sends what there is of a reply, and plays what comes back.
"""

import asyncio
import base64
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

import orjson
from fastapi import FastAPI
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from modules.backends.speaking.questions import SoundFormat
from modules.engine.types import ModelKind
from modules.errors import BadRequest, Busy, NotInstalled, ServiceError
from modules.media.speech.sentences import GrowingText, Sentence, opening
from modules.media.speech.service import SpeechRequest
from modules.ui.page.page import Page

SPEECH: Final = "/speech"
_log = logging.getLogger(__name__)
# Each sentence is a file of its own: whoever plays them may stop between any two.
_FORMAT: Final = SoundFormat("mp3", is_whole=True)


class SpeechText(BaseModel):
    """What there is of a reply behind what was taken before; `is_first`: nothing was, `is_over`: no more will come. `character`
    is who says it."""

    text: str = Field(max_length=1_000_000)
    is_first: bool = False
    is_over: bool = True
    character: str | None = Field(None, max_length=200)


def add_read_aloud(app: FastAPI, page: Page) -> None:
    """GET says whether there is a model, and has it loaded before there is anything to read. POST takes the complete sentences
    of a text and answers in lines of JSON: how much it has `taken`, then each `sound`, and how long to `pause` after it."""
    loads: set[asyncio.Task[None]] = set()

    async def prepare(character: str | None = None) -> JSONResponse:
        try:
            await page.runtime.models.check_kind(ModelKind.SPEECH)
        except NotInstalled as missing:
            return JSONResponse({"message": missing.message})
        if not loads:
            load = asyncio.create_task(_load(page, character))
            loads.add(load)
            load.add_done_callback(loads.discard)
        return JSONResponse({"message": ""})

    async def speak(request: Request) -> Response:
        try:
            text = SpeechText.model_validate_json(await request.body())
        except ClientDisconnect:
            return Response(status_code=499)
        except ValidationError:
            return JSONResponse({"message": "The text cannot be read."}, 422)
        growing = GrowingText()
        said = await asyncio.to_thread(growing.finish if text.is_over else growing.take, text.text)
        if text.is_first and said:
            said[:1] = opening(said[0])
        lines = _lines(page, text, growing.taken, said)
        try:
            # A failure before the first sound is a status of its own.
            first = await anext(lines)
        except ServiceError as failure:
            await lines.aclose()
            return JSONResponse({"message": failure.message}, 429 if isinstance(failure, Busy) else 422)
        return StreamingResponse(_all(first, lines), media_type="application/x-ndjson")

    app.add_api_route(SPEECH, prepare, methods=["GET"], include_in_schema=False)
    app.add_api_route(SPEECH, speak, methods=["POST"], include_in_schema=False)


async def _all(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest) as lines:
        yield first
        async for line in lines:
            yield line


async def _lines(page: Page, text: SpeechText, taken: int, said: list[Sentence]) -> AsyncGenerator[bytes, None]:
    head = _line({"taken": taken})
    voice = await asyncio.to_thread(_voice_of, page, text.character)
    for sentence in said:
        sound = await _sound(page, sentence, voice)
        yield head + _line({"sound": base64.b64encode(sound).decode("ascii"), "pause": sentence.pause})
        head = b""
    if head:
        yield head


async def _sound(page: Page, sentence: Sentence, voice: str) -> bytes:
    request = SpeechRequest(text=sentence.text, format=_FORMAT, voice=voice or None, is_plain=True)
    async with aclosing(page.runtime.speech.speak(request)) as pieces:
        return b"".join([piece.data async for piece in pieces])


def _voice_of(page: Page, character: str | None) -> str:
    """The character's own, else the page's. May look at the disk."""
    if character:
        try:
            own = page.runtime.library.characters.read(character).voice
        except BadRequest:
            own = ""
        if own:
            return own
    return page.settings.speech_voice


def _line(content: dict[str, object]) -> bytes:
    return orjson.dumps(content) + b"\n"


async def _load(page: Page, character: str | None) -> None:
    try:
        voice = await asyncio.to_thread(_voice_of, page, character)
        await page.runtime.speech.load(voice or None)
    except ServiceError as failure:
        # Whoever wants to hear something hears of it, too.
        _log.warning("The speech model could not be loaded: %s", failure.message)
