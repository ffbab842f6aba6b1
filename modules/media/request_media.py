"""Pictures and sounds of requests → what models read."""

import asyncio
import hashlib
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

from modules.engine.types import Media, MediaKind, ModelCard
from modules.errors import BadRequest
from modules.media.pictures.reader import PictureReader
from modules.media.pictures.sources import Sources
from modules.media.sound.sounds import decode_sound
from modules.messages import AudioPart, MediaPart

_T = TypeVar("_T")

# Encoders of models that hear take half a minute at a time.
_MOST_SECONDS: Final = 1800
_MOST: Final = 256
_MOST_BYTES: Final = 512 * 2**20
# OpenAI's detail "low" is a budget of 512 × 512 pixels.
_LOW: Final = 512


class RequestMedia:
    """Decodes what `sources` gets. What stands in a request several times is fetched and decoded once."""

    def __init__(self, sources: Sources, pictures: PictureReader) -> None:
        self._sources = sources
        self._pictures = pictures

    async def read(self, parts: Sequence[MediaPart], card: ModelCard, *, sizes_only: bool = False) -> list[Media]:
        """As in `MediaDecoder`."""
        if len(parts) > _MOST:
            raise BadRequest(f"One request may have {_MOST} pictures and sounds at most.", param=parts[_MOST].param)
        distinct = list(dict.fromkeys(parts))
        contents = await _all([self._sources.content(part.source, param=part.param) for part in distinct])
        read: dict[MediaPart, Media] = {}
        for part, content in zip(distinct, contents, strict=True):
            read[part] = await self._media(part, content, card, sizes_only=sizes_only)
            if sum(len(media.data) for media in read.values()) > _MOST_BYTES:
                raise BadRequest(
                    f"The pictures and sounds of one request may have {_MOST_BYTES // 2**20} MiB at most, decoded.",
                    param=part.param,
                )
        return [read[part] for part in parts]

    async def aclose(self) -> None:
        await self._pictures.aclose()

    async def _media(self, part: MediaPart, content: bytes, card: ModelCard, *, sizes_only: bool) -> Media:
        if isinstance(part, AudioPart):
            return await _sound(part, content, card)
        longest = _LOW if part.detail == "low" else 0
        if not sizes_only:
            return await self._pictures.picture(content, longest=longest, param=part.param)
        width, height = await self._pictures.size(content, longest=longest, param=part.param)
        digest = hashlib.sha256(b"size %d %d" % (width, height)).digest()
        return Media(kind=MediaKind.IMAGE, data=b"", digest=digest, width=width, height=height)


async def _sound(part: AudioPart, content: bytes, card: ModelCard) -> Media:
    """At the model's own rate."""
    sound = await decode_sound(content, rate=card.audio_rate, max_seconds=_MOST_SECONDS, param=part.param)
    digest = await asyncio.to_thread(_sound_digest, sound.samples, sound.rate)
    return Media(kind=MediaKind.AUDIO, data=sound.samples, digest=digest, rate=sound.rate)


def _sound_digest(samples: bytes, rate: int) -> bytes:
    """As `Media.digest` says."""
    return hashlib.sha256(b"audio %d\0" % rate + samples).digest()


async def _all(work: Sequence[Coroutine[Any, Any, _T]]) -> list[_T]:
    """All results; the first failure ends the others."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
