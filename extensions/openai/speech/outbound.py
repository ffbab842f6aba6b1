"""Spoken sentences → bodies: the sound itself, or events that carry it."""

import base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final, NoReturn

import orjson

from extensions.openai.common.stream import FeedResponse
from extensions.openai.speech.schema import SpeechAudioDelta, SpeechAudioDone, SpeechUsage
from modules.media.speech.service import SpokenSentence

CONTENT_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "mp3": "audio/mpeg",
        "opus": "audio/ogg",
        "aac": "audio/aac",
        "flac": "audio/flac",
        "wav": "audio/wav",
        "pcm": "audio/pcm",
    }
)
# OpenAI's models count as many tokens of sound.
_TOKENS_A_SECOND: Final = 20


class SoundResponse(FeedResponse):
    """Nothing can be said beside the sound: a silence stays one."""

    keep_alive: ClassVar[bytes] = b""


class SoundBytes:
    def encode(self, event: SpokenSentence) -> bytes:
        return event.data

    def end(self) -> bytes:
        return b""


class SoundEvents:
    def __init__(self) -> None:
        self._phonemes = 0
        self._seconds = 0.0

    def encode(self, event: SpokenSentence) -> bytes:
        self._phonemes += event.phonemes
        self._seconds += event.seconds
        if not event.data:
            return b""
        return _event(SpeechAudioDelta(audio=base64.b64encode(event.data).decode("ascii")))

    def end(self) -> bytes:
        spoken = round(self._seconds * _TOKENS_A_SECOND)
        usage = SpeechUsage(input_tokens=self._phonemes, output_tokens=spoken, total_tokens=self._phonemes + spoken)
        return _event(SpeechAudioDone(usage=usage))


def break_off(failure: Exception) -> NoReturn:
    """The connection ends without the end of the body, by which a reader knows that the sound is not whole."""
    raise failure


def _event(body: SpeechAudioDelta | SpeechAudioDone) -> bytes:
    return b"event: " + body.type.encode() + b"\ndata: " + orjson.dumps(body.model_dump()) + b"\n\n"
