"""Decoding: every container, what is broken or hostile, and what a recording may take."""

import array
import math

import pytest

from modules.errors import BadRequest
from modules.media.sound import sounds
from modules.media.sound.sounds import decode_sound, stream_sound
from tests.sound_files import FORMATS, RATE, recording, silence, tone, wav


def loudness_at(samples: "array.array[float]", rate: int, hertz: float) -> float:
    """The amplitude of one frequency."""
    real = sum(sample * math.cos(math.tau * hertz * n / rate) for n, sample in enumerate(samples))
    imaginary = sum(sample * math.sin(math.tau * hertz * n / rate) for n, sample in enumerate(samples))
    return 2 * math.hypot(real, imaginary) / len(samples)


async def floats(content: bytes, rate: int = RATE) -> "array.array[float]":
    sound = await decode_sound(content, rate=rate)
    assert sound.seconds == pytest.approx(len(sound.samples) / 4 / rate)
    return array.array("f", sound.samples)


@pytest.mark.parametrize("name", FORMATS)
async def test_a_tone_is_the_same_tone_out_of_any_container(name: str) -> None:
    samples = await floats(recording(name, tone(1.0)))
    assert len(samples) / RATE == pytest.approx(1.0, abs=0.12)
    assert loudness_at(samples[4000:12000], RATE, 440) == pytest.approx(12_000 / 32_768, rel=0.1)


async def test_a_recording_without_duration_is_read_to_its_end() -> None:
    samples = await floats(recording("webm", tone(2.5), is_live=True))
    assert len(samples) / RATE == pytest.approx(2.5, abs=0.1)


async def test_channels_are_mixed_and_rates_converted() -> None:
    one = array.array("h", tone(0.5, rate=44_100))
    both = array.array("h", [sample for value in one for sample in (value, 0)]).tobytes()
    samples = await floats(wav(both, rate=44_100, channels=2), rate=24_000)
    assert len(samples) == pytest.approx(12_000, abs=30)
    assert loudness_at(samples[2000:10000], 24_000, 440) == pytest.approx(6_000 / 32_768, rel=0.1)


async def test_silence_and_nothing_are_recordings() -> None:
    assert max(await floats(wav(silence(1)))) == 0
    assert len(await floats(wav(b""))) == 0


@pytest.mark.parametrize("name", ["wav", "mp3", "ogg", "flac", "webm"])
async def test_what_is_left_of_a_truncated_file_is_read(name: str) -> None:
    content = recording(name, tone(2.0))
    samples = await floats(content[: len(content) * 6 // 10])
    assert 0.3 < len(samples) / RATE < 2.0


@pytest.mark.parametrize(
    "content",
    [
        b"not sound at all, whatever its name says",
        bytes(range(256)) * 40,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:1/a.ts\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile '/etc/passwd'\n",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'></MPD>",
    ],
    ids=["text", "bytes", "hls", "concat", "png", "dash"],
)
async def test_what_is_no_recording_is_refused_by_name(content: bytes) -> None:
    with pytest.raises(BadRequest, match=r"Unrecognized file format\. Supported formats: \[") as refusal:
        await decode_sound(content, rate=RATE, param="input_audio")
    assert refusal.value.param == "input_audio"


async def test_an_empty_and_a_large_file_are_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadRequest, match="empty"):
        await decode_sound(b"", rate=RATE)
    monkeypatch.setattr(sounds, "MAX_SOUND_BYTES", 100)
    with pytest.raises(BadRequest, match="larger"):
        await decode_sound(wav(tone(0.1)), rate=RATE)


async def test_what_says_that_it_is_too_long_is_not_decoded() -> None:
    """Ten hours of silence, some kilobytes of Opus each minute."""
    with pytest.raises(BadRequest, match="longer than 4 hours") as refusal:
        await decode_sound(ogg_bomb(36_000), rate=RATE)
    assert refusal.value.code == "audio_too_long"


async def test_what_hides_its_length_ends_at_the_limit() -> None:
    with pytest.raises(BadRequest, match="longer than 1 minute, "):
        await decode_sound(recording("webm", silence(120), is_live=True), rate=RATE, max_seconds=60)


async def test_a_reader_that_leaves_ends_the_decoder() -> None:
    blocks = stream_sound(wav(silence(60)), rate=RATE)
    assert await anext(blocks)
    await blocks.aclose()


def ogg_bomb(seconds: int) -> bytes:
    """Ogg's pages of one second of silence, the last of them with the granule position of hours later."""
    content = bytearray(recording("ogg", silence(1)))
    last = content.rindex(b"OggS")
    content[last + 6 : last + 14] = (seconds * 48_000).to_bytes(8, "little")
    content[last + 22 : last + 26] = bytes(4)
    content[last + 22 : last + 26] = _ogg_checksum(bytes(content[last:])).to_bytes(4, "little")
    return bytes(content)


def _ogg_checksum(page: bytes) -> int:
    """CRC-32 of RFC 3533: polynomial 0x04c11db7, neither reflected nor inverted."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ 0x04C11DB7 if value & 0x80000000 else value << 1
        value &= 0xFFFFFFFF
    return value
