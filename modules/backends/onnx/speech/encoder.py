"""Samples of one reply → one sound file, piece by piece, by FFmpeg's libraries."""

import io
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import av
import numpy as np

from modules.backends.onnx.speech.synthesizer import Samples
from modules.backends.speaking.questions import SoundFormat


@dataclass(frozen=True, slots=True)
class _Codec:
    """`rate` None: as wanted. Encoders delay by a number of samples that the format does not tell the reader; at 48 kHz it is half
    as long as at 24."""

    container: str
    name: str
    bit_rate: int | None
    rate: int | None = None
    options: tuple[tuple[str, str], ...] = ()
    stream_options: tuple[tuple[str, str], ...] = ()


_CODECS: Final[Mapping[str, _Codec]] = MappingProxyType(
    {
        "mp3": _Codec("mp3", "libmp3lame", 128_000, 48_000, (("id3v2_version", "0"),), (("write_xing", "0"),)),
        "opus": _Codec("ogg", "libopus", 64_000, 48_000, (("page_duration", "20000"),)),
        "aac": _Codec("adts", "aac", 96_000, 48_000),
        "flac": _Codec("flac", "flac", None),
    }
)
_UNKNOWN_SIZE: Final = 0xFFFFFFFF
_WAV_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
# Of the header, behind its first eight bytes.
_WAV_REST: Final = 36
_SAMPLE_BYTES: Final = 2


class SoundEncoder:
    """Of one reply: `add` and then `finish` return what the file goes on with; joined, they are the file.

    `input_rate` is that of the samples that come.
    """

    def __init__(self, sound: SoundFormat, input_rate: int) -> None:
        self._input_rate = input_rate
        self._writer = _writer_of(sound, input_rate)

    def add(self, samples: Samples) -> bytes:
        return self._writer.add(_frame(samples, self._input_rate)) if samples.size else b""

    def finish(self) -> bytes:
        return self._writer.finish()


def _writer_of(sound: SoundFormat, input_rate: int) -> "_Muxed | _Plain":
    if sound.name in _CODECS:
        return _Muxed(_CODECS[sound.name], sound, input_rate)
    return _Plain(sound)


class _Plain:
    """16-bit samples, with a header (wav) or without (pcm)."""

    def __init__(self, sound: SoundFormat) -> None:
        self._sound = sound
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=sound.rate)
        self._kept: list[bytes] = []
        self._has_header = sound.name == "pcm"

    def add(self, frame: av.AudioFrame | None) -> bytes:
        data = b"".join(
            bytes(each.planes[0])[: each.samples * _SAMPLE_BYTES] for each in self._resampler.resample(frame)
        )
        if self._sound.is_whole:
            self._kept.append(data)
            return b""
        if not self._has_header:
            self._has_header = True
            data = _wav_header(self._sound.rate, None) + data
        return data

    def finish(self) -> bytes:
        rest = self.add(None)
        if not self._sound.is_whole:
            return rest
        data = b"".join(self._kept)
        return data if self._has_header else _wav_header(self._sound.rate, len(data)) + data


class _Sink(io.RawIOBase):
    """What a muxer writes that cannot go back."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        self._written += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._written)
        self._written.clear()
        return taken


class _Muxed:
    """A codec in a container."""

    def __init__(self, codec: _Codec, sound: SoundFormat, input_rate: int) -> None:
        self._whole = io.BytesIO() if sound.is_whole else None
        self._sink = _Sink()
        options = dict(codec.options if sound.is_whole else (*codec.options, *codec.stream_options))
        self._container = av.open(
            self._whole or self._sink, "w", format=codec.container, options={"flush_packets": "1", **options}
        )
        stream = self._container.add_stream(codec.name, rate=codec.rate or sound.rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        self._stream = stream
        if codec.bit_rate is not None:
            self._stream.bit_rate = codec.bit_rate

    def add(self, frame: av.AudioFrame | None) -> bytes:
        self._container.mux(self._stream.encode(frame))
        return b"" if self._whole is not None else self._sink.take()

    def finish(self) -> bytes:
        """Closes the container before the rest is read: its last page is written then."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._whole.getvalue() if self._whole is not None else self._sink.take()


def _frame(samples: Samples, rate: int) -> av.AudioFrame:
    limited = np.clip(samples, -1.0, 1.0).astype(np.float32).reshape(1, -1)
    frame = av.AudioFrame.from_ndarray(limited, format="flt", layout="mono")
    frame.sample_rate = rate
    return frame


def _wav_header(rate: int, data_bytes: int | None) -> bytes:
    """`data_bytes` None: they are not known yet; players read to the end."""
    whole = _UNKNOWN_SIZE if data_bytes is None else data_bytes + _WAV_REST
    size = _UNKNOWN_SIZE if data_bytes is None else data_bytes
    return _WAV_HEADER.pack(
        b"RIFF", whole, b"WAVE", b"fmt ", 16, 1, 1, rate, rate * _SAMPLE_BYTES, _SAMPLE_BYTES, 16, b"data", size
    )
