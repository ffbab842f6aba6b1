"""A recording → what is said in it, by a transcription model that the pool has loaded."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import msgspec

from modules.backends.transcription import (
    TRANSCRIPTION_RATE,
    SpokenSegment,
    TranscriptionWindow,
    VoiceActivity,
    WindowDone,
)
from modules.engine.protocols import MediaEngine
from modules.engine.types import ModelKind
from modules.errors import Busy
from modules.media.sound.sounds import stream_sound
from modules.models.pool import ModelPool

# Long enough that cutting costs nothing, short enough that others who wait get their turn in between.
_WINDOW_SECONDS: Final = 300
_BYTES_PER_SECOND: Final = 4 * TRANSCRIPTION_RATE
# Each has a process that decodes; their windows take turns at the model.
_AT_ONCE: Final = 4
_RETRY_SECONDS: Final = 5
_USUAL_VOICE: Final = VoiceActivity()
_Answer: TypeAlias = SpokenSegment | WindowDone
_ANSWERS: Final = msgspec.msgpack.Decoder(_Answer)


class RecordedFile(Protocol):
    """What was uploaded, wherever it is kept."""

    async def read(self, size: int = -1) -> bytes: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TranscriptionRequest:
    """`file` is read when it is its turn. The other fields are those of `TranscriptionWindow`."""

    file: RecordedFile
    model: str | None = None
    translates: bool = False
    language: str = ""
    languages: tuple[str, ...] = ()
    prompt: str = ""
    hotwords: str = ""
    temperature: float = 0.0
    words: bool = False
    timestamps: bool = True
    voice: VoiceActivity | None = _USUAL_VOICE
    keep_alive: float | None = None


@dataclass(frozen=True, slots=True)
class Transcribed:
    """The end: `language` is a code, empty where nobody spoke; `seconds` the length of the recording."""

    model: str
    language: str
    seconds: float


TranscriptionEvent: TypeAlias = SpokenSegment | Transcribed


class TranscriptionService:
    """`max_queue` requests may wait while others are at work."""

    def __init__(self, models: ModelPool, *, max_queue: int) -> None:
        self._models = models
        self._max_queue = max_queue
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0

    async def transcribe(self, request: TranscriptionRequest) -> AsyncGenerator[TranscriptionEvent, None]:
        """Segments as they are found, then `Transcribed`. Closing it is how a caller cancels. Raises BadRequest, Busy,
        NotInstalled, LoadFailed, NoRoom, EngineFailed."""
        async with self._place():
            sound = stream_sound(await request.file.read(), rate=TRANSCRIPTION_RATE)
            recording = _Recording(sound)
            async with aclosing(sound):
                # What is no recording is refused before a model is loaded for it.
                await recording.fill()
                lease = self._models.lease(request.model, kind=ModelKind.TRANSCRIPTION, keep_alive=request.keep_alive)
                async with lease as engine, aclosing(_transcribed(engine, request, recording)) as events:
                    async for event in events:
                        yield event

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        if self._places.locked() and self._waiting >= self._max_queue:
            raise Busy(
                f"{self._waiting} recordings wait to be transcribed already. Try again later.",
                retry_after=_RETRY_SECONDS,
            )
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()


class _Recording:
    """The samples that were decoded and not transcribed yet, and where they begin."""

    def __init__(self, blocks: AsyncGenerator[bytes, None]) -> None:
        self._blocks = blocks
        self._samples = bytearray()
        self._used = 0
        self.is_complete = False

    @property
    def samples(self) -> bytes:
        return bytes(self._samples)

    @property
    def offset(self) -> float:
        return self._used / TRANSCRIPTION_RATE

    async def fill(self) -> None:
        """Until a window is full."""
        while not self.is_complete and len(self._samples) < _WINDOW_SECONDS * _BYTES_PER_SECOND:
            block = await anext(self._blocks, None)
            if block is None:
                self.is_complete = True
            else:
                self._samples += block

    def take(self, samples: int) -> None:
        self._used += samples
        del self._samples[: samples * _BYTES_PER_SECOND // TRANSCRIPTION_RATE]


async def _transcribed(
    engine: MediaEngine, request: TranscriptionRequest, recording: _Recording
) -> AsyncGenerator[TranscriptionEvent, None]:
    language, prompt, is_over = request.language, request.prompt, False
    while not is_over:
        await recording.fill()
        is_over = recording.is_complete
        window = _window(request, recording, language, prompt)
        async with aclosing(_ahead(engine.stream(window, _ANSWERS))) as answers:
            async for answer in answers:
                if isinstance(answer, SpokenSegment):
                    yield answer
                else:
                    recording.take(answer.used)
                    language = answer.language or language
        # What came before the recording says nothing of its later parts.
        prompt = ""
    yield Transcribed(engine.card.name, language, round(recording.offset, 3))


async def _ahead(answers: AsyncGenerator[_Answer, None]) -> AsyncGenerator[_Answer, None]:
    """Reads on while the caller is slow: others wait for the model meanwhile."""
    read: asyncio.Queue[_Answer | None] = asyncio.Queue()

    async def read_on() -> None:
        try:
            async with aclosing(answers):
                async for answer in answers:
                    read.put_nowait(answer)
        finally:
            read.put_nowait(None)

    reading = asyncio.create_task(read_on())
    try:
        while (answer := await read.get()) is not None:
            yield answer
        await reading
    finally:
        reading.cancel()
        await asyncio.wait([reading])


def _window(request: TranscriptionRequest, recording: _Recording, language: str, prompt: str) -> TranscriptionWindow:
    return TranscriptionWindow(
        samples=recording.samples,
        offset=recording.offset,
        is_last=recording.is_complete,
        translates=request.translates,
        language=language,
        languages=request.languages,
        prompt=prompt,
        hotwords=request.hotwords,
        temperature=request.temperature,
        words=request.words,
        timestamps=request.timestamps,
        voice=request.voice,
    )
