"""Voices of Piper, with one that is made here."""

from pathlib import Path

import numpy as np
import pytest

from modules.backends.onnx.speech.espeak import Espeak
from modules.backends.onnx.speech.folder import PiperVoice, read_model
from modules.backends.onnx.speech.piper import Piper
from modules.backends.onnx.speech.synthesizer import Utterance
from modules.errors import LoadFailed
from tests.piper_voice import HOP, RATE, write_piper

SENTENCE = "The red car drives home."


def piper(graph: Path) -> Piper:
    voice = read_model(graph)
    assert isinstance(voice, PiperVoice)
    return Piper(voice, Espeak(), threads=1)


def said(voice: Piper, text: str = SENTENCE, name: str = "hum", speed: float = 1.0) -> Utterance:
    (found,) = voice.say(text, ((name, 1.0),), speed, "")
    return found


def pitch(utterance: Utterance) -> float:
    samples = utterance.samples[: RATE // 2]
    return float(np.argmax(np.abs(np.fft.rfft(samples)))) * RATE / len(samples)


def test_each_phoneme_is_said_between_a_begin_and_an_end(tmp_path: Path) -> None:
    voice = piper(write_piper(tmp_path, "hum"))
    found = said(voice)
    # Each has what stands between two before it.
    ids = 1 + 2 * (found.phonemes + 1)
    assert voice.rate == RATE
    assert found.samples.size == pytest.approx(ids * HOP, rel=0.02)
    assert said(voice, SENTENCE.removesuffix(".")).phonemes == found.phonemes


@pytest.mark.parametrize("speed", [0.5, 2.0])
def test_speed_is_the_length_scale(tmp_path: Path, speed: float) -> None:
    voice = piper(write_piper(tmp_path, "hum"))
    assert said(voice, speed=speed).samples.size == pytest.approx(said(voice).samples.size / speed, rel=0.02)


def test_a_voice_with_a_rate_and_a_length_of_its_own(tmp_path: Path) -> None:
    usual = said(piper(write_piper(tmp_path, "hum")))
    voice = piper(write_piper(tmp_path, "slow", audio={"sample_rate": 16_000}, inference={"length_scale": 2.0}))
    assert voice.rate == 16_000
    assert said(voice).samples.size == pytest.approx(2 * usual.samples.size, rel=0.02)


def test_speakers_are_told_apart(tmp_path: Path) -> None:
    voice = piper(write_piper(tmp_path, "choir", speakers=["low", "high"]))
    low, high = said(voice, name="choir:low"), said(voice, name="choir:high")
    assert pitch(high) == pytest.approx(2 * pitch(low), rel=0.05)
    assert pitch(said(voice, name="choir")) == pytest.approx(pitch(low), rel=0.05)


def test_phonemes_that_it_was_not_taught_are_left_out(tmp_path: Path) -> None:
    few = {"_": [0], "^": [1], "$": [2], "a": [3], ".": [4]}
    voice = piper(write_piper(tmp_path, "text", phoneme_type="text", phoneme_id_map=few))
    assert said(voice, "A b a c.").phonemes == 3
    assert list(voice.say("xyz.", (("text", 1.0),), 1.0, "")) == []


def test_voices_of_other_programs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LoadFailed, match="phonemes of the type 'pinyin'"):
        piper(write_piper(tmp_path, "other", phoneme_type="pinyin"))
    damaged = write_piper(tmp_path, "damaged")
    damaged.write_bytes(b"no graph")
    with pytest.raises(LoadFailed, match=r"damaged\.onnx cannot be opened"):
        piper(damaged)
