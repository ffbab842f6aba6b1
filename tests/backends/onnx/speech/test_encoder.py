"""Samples → sound files: whole, in pieces, of the same length in every format."""

import io
import struct
from collections.abc import Iterator

import av
import numpy as np
import pytest

from modules.backends.onnx.speech.encoder import SoundEncoder
from modules.backends.onnx.speech.synthesizer import Samples
from modules.backends.onnx.speech.tempo import changed_tempo, split_speed
from modules.backends.speaking.questions import SoundFormat

RATE = 22_050
SECONDS = 3.1
FORMATS = ("mp3", "opus", "aac", "flac", "wav", "pcm")


def tone(seconds: float = SECONDS, hertz: float = 440) -> Samples:
    times = np.arange(int(seconds * RATE), dtype=np.float32) / np.float32(RATE)
    return np.asarray(0.4 * np.sin(times * np.float32(2 * np.pi * hertz)), np.float32)


def encoded(sound: SoundFormat) -> Iterator[bytes]:
    encoder = SoundEncoder(sound, RATE)
    for piece in np.array_split(tone(), 7):
        yield encoder.add(piece)
    yield encoder.finish()


def decoded(data: bytes, name: str) -> tuple[float, Samples]:
    """Seconds, and samples at 24 kHz."""
    if name == "pcm":
        samples = np.asarray(np.frombuffer(data, "<i2") / 32768, np.float32)
        return len(samples) / 24_000, samples
    resampler = av.AudioResampler(format="flt", layout="mono", rate=24_000)
    container = av.open(io.BytesIO(data), "r")
    with container:
        frames = [frame for read in container.decode(audio=0) for frame in resampler.resample(read)]
    samples = np.asarray(np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]), np.float32)
    return len(samples) / 24_000, samples


def pitch(samples: Samples, rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * rate / len(samples)


@pytest.mark.parametrize("is_whole", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format_lasts_as_long_and_sounds_alike(name: str, *, is_whole: bool) -> None:
    data = b"".join(encoded(SoundFormat(name, is_whole=is_whole)))
    seconds, samples = decoded(data, name)
    assert abs(seconds - SECONDS) <= 0.06
    assert pitch(samples, 24_000) == pytest.approx(440, abs=1)
    # The end is there, and no click.
    assert np.abs(samples[-4800:-2400]).max() == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("name", FORMATS)
def test_sound_leaves_with_each_piece(name: str) -> None:
    sizes = [len(data) for data in encoded(SoundFormat(name))]
    assert all(size > 500 for size in sizes[:-1])


def test_a_streamed_wav_has_no_sizes_and_a_whole_one_has() -> None:
    streamed = b"".join(encoded(SoundFormat("wav")))
    assert streamed[4:8] == streamed[40:44] == b"\xff" * 4
    whole = b"".join(encoded(SoundFormat("wav", is_whole=True)))
    assert struct.unpack_from("<I", whole, 4) == (len(whole) - 8,)
    assert struct.unpack_from("<I", whole, 40) == (len(whole) - 44,)
    assert struct.unpack_from("<HHIIHH", whole, 20) == (1, 1, 24_000, 48_000, 2, 16)


def test_a_reply_is_one_stream_and_not_several_files() -> None:
    data = b"".join(encoded(SoundFormat("opus")))
    assert data.count(b"OpusHead") == 1
    serials = {struct.unpack_from("<I", page, 10)[0] for page in (b"OggS" + each for each in data.split(b"OggS")[1:])}
    assert len(serials) == 1


def test_too_loud_samples_are_limited() -> None:
    encoder = SoundEncoder(SoundFormat("pcm"), 24_000)
    data = encoder.add(np.full(2400, 3, np.float32)) + encoder.finish()
    assert set(np.frombuffer(data, "<i2")[100:-100]) == {32767}


@pytest.mark.parametrize("speed", [0.25, 0.5, 1.0, 1.3, 4.0])
def test_speed_changes_the_length_and_not_the_pitch(speed: float) -> None:
    changed = changed_tempo(tone(), RATE, speed)
    assert len(changed) / RATE == pytest.approx(SECONDS / speed, abs=0.08)
    assert pitch(changed, RATE) == pytest.approx(440, abs=3)


def test_the_model_does_what_it_does_well() -> None:
    assert [split_speed(speed) for speed in (0.25, 0.5, 1.2, 2.0, 4.0)] == [
        (0.5, 0.5),
        (0.5, 1.0),
        (1.2, 1.0),
        (2.0, 1.0),
        (2.0, 2.0),
    ]
