"""Recordings in the containers that clients send, made with FFmpeg's libraries."""

import array
import io
import math
import wave
from types import MappingProxyType
from typing import Any, Final, Literal, cast

import av
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

RATE: Final = 16_000
# Name → container and codec: OpenAI's nine, and more that phones and recorders write.
FORMATS: Final = MappingProxyType(
    {
        "flac": ("flac", "flac"),
        "mp3": ("mp3", "libmp3lame"),
        "mp4": ("mp4", "aac"),
        "mpeg": ("mpeg", "mp2"),
        "mpga": ("mp3", "libmp3lame"),
        "m4a": ("ipod", "aac"),
        "ogg": ("ogg", "libopus"),
        "wav": ("wav", "pcm_s16le"),
        "webm": ("webm", "libopus"),
        "aac": ("adts", "aac"),
        "mka": ("matroska", "pcm_s16le"),
        "mov": ("mov", "alac"),
        "wma": ("asf", "wmav2"),
        "aiff": ("aiff", "pcm_s16be"),
    }
)


class _WriteOnly:
    """What cannot be rewound, such as a connection: no length can be written into the head afterwards."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, data: bytes) -> int:
        self.content += data
        return len(data)


def tone(seconds: float, *, hertz: float = 440, rate: int = RATE) -> bytes:
    """16-bit mono samples."""
    wave_form = (int(12_000 * math.sin(math.tau * hertz * n / rate)) for n in range(int(seconds * rate)))
    return array.array("h", wave_form).tobytes()


def silence(seconds: float, *, rate: int = RATE) -> bytes:
    return bytes(int(seconds * rate) * 2)


def wav(samples: bytes, *, rate: int = RATE, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(2)
        writer.setframerate(rate)
        writer.writeframes(samples)
    return file.getvalue()


def recording(name: str, samples: bytes, *, rate: int = RATE, is_live: bool = False) -> bytes:
    """The samples in one of FORMATS. With `is_live`, as it is written while it is recorded: without a duration."""
    container, codec = FORMATS[name]
    file: Any = _WriteOnly() if is_live else io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(
            cast(Literal["aac"], codec), rate=48_000 if codec == "libopus" else 44_100 if codec == "wmav2" else rate
        )
        stream.layout, stream.bit_rate = "mono", 64_000
        resampler = AudioResampler(format=stream.format.name, layout="mono", rate=stream.rate)
        fifo = AudioFifo()
        for frame in (*resampler.resample(_frame(samples, rate)), *resampler.resample(None)):
            fifo.write(frame)
        size = stream.codec_context.frame_size or 1024
        while (piece := fifo.read(size) or fifo.read(0, partial=True)) is not None:
            output.mux(stream.encode(piece))
        output.mux(stream.encode(None))
    return bytes(file.content) if is_live else file.getvalue()


def _frame(samples: bytes, rate: int) -> AudioFrame:
    frame = AudioFrame(format="s16", layout="mono", samples=len(samples) // 2)
    frame.planes[0].update(samples)
    frame.sample_rate = rate
    frame.pts = 0
    return frame
