"""The process that decodes a recording with FFmpeg's libraries, which see nothing but its bytes."""

import io
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError

from modules.errors import BadRequest
from modules.media.sound.questions import SoundBlock, SoundQuestion
from modules.process.server import Task, serve

# What is shown where nothing can be read: the formats that OpenAI's API names.
SHOWN_FORMATS: Final = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
# FFmpeg's names of containers that hold all they play. Playlists, which name further files, are none of them.
_FORMATS: Final = (
    "aac",
    "ac3",
    "aiff",
    "amr",
    "asf",
    "au",
    "avi",
    "caf",
    "eac3",
    "flac",
    "flv",
    "matroska,webm",
    "mov,mp4,m4a,3gp,3g2,mj2",
    "mp3",
    "mpeg",
    "mpegts",
    "ogg",
    "w64",
    "wav",
)
# Decoders of sound alone: those of pictures would only be more code that reads a stranger's bytes.
_CODECS: Final = (
    "aac",
    "aac_latm",
    "ac3",
    "adpcm_ima_qt",
    "adpcm_ima_wav",
    "adpcm_ms",
    "alac",
    "amrnb",
    "amrwb",
    "eac3",
    "flac",
    "g722",
    "gsm_ms",
    "libopencore_amrnb",
    "libopencore_amrwb",
    "libopus",
    "mp1float",
    "mp2",
    "mp2float",
    "mp3",
    "mp3float",
    "opus",
    "pcm_alaw",
    "pcm_f32be",
    "pcm_f32le",
    "pcm_f64be",
    "pcm_f64le",
    "pcm_mulaw",
    "pcm_s16be",
    "pcm_s16le",
    "pcm_s24be",
    "pcm_s24le",
    "pcm_s32be",
    "pcm_s32le",
    "pcm_s8",
    "pcm_u8",
    "speex",
    "vorbis",
    "wmav1",
    "wmav2",
    "wmapro",
)
# Without an index they tell a length that is guessed from the rate of bits, which may be far off.
_GUESSING_FORMATS: Final = frozenset({"aac", "ac3", "amr", "eac3", "mp3", "mpeg", "mpegts"})
_BLOCK_BYTES: Final = 2**20
_BYTES_OF_SAMPLE: Final = 4
_MINUTES_IN_HOURS: Final = 120
# An unreadable packet is skipped; what has thousands of them and no sound between is no recording.
_MAX_BAD_PACKETS: Final = 10_000


def run() -> None:
    logging.disable()
    serve(_blocks, questions=SoundQuestion)


def _blocks(question: SoundQuestion, task: Task) -> Iterator[SoundBlock]:
    block = bytearray()
    count = 0
    for piece in _decoded(question):
        task.advance()
        count += len(piece) // _BYTES_OF_SAMPLE
        if count > question.max_samples:
            raise too_long(question)
        block += piece
        if len(block) >= _BLOCK_BYTES:
            yield SoundBlock(bytes(block))
            block.clear()
    if block:
        yield SoundBlock(bytes(block))


def _decoded(question: SoundQuestion) -> Iterator[bytes]:
    """Raises BadRequest for what is no recording, or too long a one."""
    with _opened(question.content) as container:
        stream = next(iter(container.streams.audio), None)
        if stream is None:
            raise BadRequest("The file holds no sound.", param="file", code="invalid_value")
        _refuse_length(container, question)
        try:
            yield from _resampled(_frames(container, stream), question.rate)
        except (FFmpegError, ValueError):
            raise unrecognized() from None


def _opened(content: bytes) -> InputContainer:
    options = {
        "format_whitelist": ",".join(_FORMATS),
        "codec_whitelist": ",".join(_CODECS),
        # A container that refers to other files or addresses reaches none.
        "protocol_whitelist": "none",
    }
    try:
        container = av.open(io.BytesIO(content), "r", options=options, metadata_errors="ignore")
    except (FFmpegError, ValueError):
        raise unrecognized() from None
    if container.format.name not in _FORMATS:
        container.close()
        raise unrecognized()
    return container


def _refuse_length(container: InputContainer, question: SoundQuestion) -> None:
    """What says itself that it is too long need not be decoded first."""
    if container.duration is None or container.format.name in _GUESSING_FORMATS:
        return
    if container.duration / av.time_base * question.rate > question.max_samples:
        raise too_long(question)


def _frames(container: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    """What cannot be decoded is left out, as long as anything else can. Raises FFmpegError."""
    bad, good = 0, 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
            for frame in packet.decode():
                assert isinstance(frame, AudioFrame)
                good += 1
                yield frame
        except StopIteration:
            break
        except FFmpegError:
            bad += 1
            if bad > _MAX_BAD_PACKETS and bad > good:
                raise
    if bad and not good:
        raise FFmpegError(0, "")


class _Mixer:
    """Frames of one shape → mono floats. Mixing whole numbers keeps the sum of loud channels within the range, which
    the resampler does not do for floats."""

    def __init__(self, rate: int) -> None:
        self._mixing = AudioResampler(format="s32", layout="mono", rate=rate)
        self._converting = AudioResampler(format="flt", layout="mono", rate=rate)

    def mixed(self, frame: AudioFrame | None) -> Iterator[bytes]:
        """None: what is left at the end."""
        for whole in self._mixing.resample(frame):
            for out in self._converting.resample(whole):
                yield bytes(memoryview(out.planes[0])[: out.samples * _BYTES_OF_SAMPLE])


def _resampled(frames: Iterator[AudioFrame], rate: int) -> Iterator[bytes]:
    """A stream may change its rate or channels on the way."""
    mixer: _Mixer | None = None
    shape = None
    for frame in frames:
        found = (frame.format.name, frame.layout.name, frame.sample_rate)
        if mixer is None or found != shape:
            yield from _rest(mixer)
            mixer, shape = _Mixer(rate), found
        # Times that lie make the resampler insert or drop samples.
        frame.pts = None
        yield from mixer.mixed(frame)
    yield from _rest(mixer)


def _rest(mixer: _Mixer | None) -> Iterator[bytes]:
    if mixer is not None:
        with suppress(FFmpegError):
            yield from mixer.mixed(None)


def unrecognized() -> BadRequest:
    message = f"Unrecognized file format. Supported formats: {list(SHOWN_FORMATS)}"
    return BadRequest(message, param="file", code="invalid_value")


def too_long(question: SoundQuestion) -> BadRequest:
    minutes = question.max_samples / question.rate / 60
    count, unit = (minutes / 60, "hour") if minutes >= _MINUTES_IN_HOURS else (minutes, "minute")
    shown = f"{count:g} {unit}{'' if count == 1 else 's'}"
    return BadRequest(
        f"The recording is longer than {shown}, which is the most that is taken. Send it in parts.",
        param="file",
        code="audio_too_long",
    )
