"""What backends that transcribe take and answer: a window of a recording → its segments, one by one.

A recording is asked window by window, so that a long one takes little memory and lets short ones pass in between.
"""

from typing import Final

import msgspec

TRANSCRIPTION_RATE: Final = 16_000


class VoiceActivity(msgspec.Struct, frozen=True):
    """What counts as speech: its least probability, the silence that ends it, and what of the silence around it is kept."""

    threshold: float = 0.5
    silence_ms: int = 500
    padding_ms: int = 400


class TranscriptionWindow(msgspec.Struct, frozen=True):
    """Mono samples, little-endian 32-bit floats, 16,000 a second; the first of them is that much after the beginning as
    `offset` says, in seconds. More samples follow unless it `is_last`.

    `language` is a code of Whisper's, empty to find out, then among `languages` if there are any. `prompt` is what was said
    before, `hotwords` are words that may come. `temperature` 0 begins with the likeliest text and samples where that is bad.
    With `translates` the text is English. `voice` None hears everything as speech.
    """

    samples: bytes
    offset: float = 0.0
    is_last: bool = True
    translates: bool = False
    language: str = ""
    languages: tuple[str, ...] = ()
    prompt: str = ""
    hotwords: str = ""
    temperature: float = 0.0
    words: bool = False
    timestamps: bool = True
    voice: VoiceActivity | None = VoiceActivity()


class SpokenWord(msgspec.Struct, frozen=True):
    """`text` with its blanks; times in seconds from the beginning of the recording."""

    text: str
    start: float
    end: float
    probability: float


class SpokenSegment(msgspec.Struct, frozen=True, tag=True):
    """`text` with its blanks, so that segments only need to be joined. `seek` is the place, in hundredths of a second, of
    the 30 seconds that it was found in."""

    start: float
    end: float
    text: str
    seek: int = 0
    tokens: tuple[int, ...] = ()
    temperature: float = 0.0
    average_logprob: float = 0.0
    compression_ratio: float = 0.0
    no_speech_probability: float = 0.0
    words: tuple[SpokenWord, ...] = ()


class WindowDone(msgspec.Struct, frozen=True, tag=True):
    """The last answer: so many of the samples were read, the rest belongs into the next window. `language` is a code,
    empty where nobody spoke."""

    used: int
    language: str
