"""What the speech process is asked, and what it answers."""

from typing import Final

import msgspec


class SoundFormat(msgspec.Struct, frozen=True):
    """`name` is mp3, opus, aac, flac, wav or pcm; `rate` in samples a second, where the format lets one choose.

    `is_whole`: the sound is wanted in one piece, with its length in its header, not as it is made.
    """

    name: str = "mp3"
    rate: int = 24_000
    is_whole: bool = False


class Delivery(msgspec.Struct, frozen=True):
    """How a text is spoken: `voices` are mixed by their weights; `language` "" is the voice's own."""

    voices: tuple[tuple[str, float], ...]
    speed: float = 1.0
    volume: float = 1.0
    language: str = ""


class Say(msgspec.Struct, frozen=True):
    """The next sentence of a reply, of which `is_last` closes the file; `pause` seconds of silence follow it.

    The first one of a reply begins its file. `over` are replies that nobody listens to any more: they get no last
    sentence.
    """

    reply: int
    text: str
    delivery: Delivery
    format: SoundFormat
    pause: float = 0.0
    is_last: bool = False
    over: tuple[int, ...] = ()


class SoundPiece(msgspec.Struct, frozen=True):
    """A piece of the file, with the seconds that were spoken and the phonemes that were read for it."""

    data: bytes
    seconds: float = 0.0
    phonemes: int = 0


SOUND_PIECES: Final = msgspec.msgpack.Decoder(SoundPiece)
