"""The real Kokoro: as it is loaded, what it costs, how voices are mixed."""

import time
from pathlib import Path

import numpy as np
import pytest

from modules.backends.onnx.speech.espeak import Espeak
from modules.backends.onnx.speech.folder import KokoroFolder, read_model
from modules.backends.onnx.speech.kokoro import RATE, Kokoro, mixed
from modules.backends.onnx.speech.synthesizer import without_edges
from modules.engine.types import ModelKind
from modules.settings.values import Settings
from tests.model_files import model_folder
from tests.speech_models import KOKORO

SENTENCE = "The quick brown fox jumps over the lazy dog, and the dog sleeps on as if nothing had happened at all."


@pytest.fixture(scope="module")
def kokoro() -> Kokoro:
    model = read_model(model_folder(KOKORO))
    assert isinstance(model, KokoroFolder)
    return Kokoro(model, Espeak(), threads=1)


def voice_of_test() -> str:
    return read_model(model_folder(KOKORO)).voice_names[0]


@pytest.mark.model
@pytest.mark.extended
def test_it_speaks_faster_than_it_is_heard_on_one_core(kokoro: Kokoro) -> None:
    begun = time.process_time()
    said = list(kokoro.say(SENTENCE, ((voice_of_test(), 1.0),), 1.0, "en-us"))
    spent = time.process_time() - begun
    seconds = sum(each.samples.size for each in said) / RATE
    assert 3 < seconds < 12
    # Processor time, which a busy machine hardly changes; it is 0.36 of what is heard.
    assert spent / seconds < 0.5


def test_styles_are_mixed_by_weight() -> None:
    one, two = np.ones((2, 4), np.float32), np.full((2, 4), 4, np.float32)
    assert mixed([(one, 2.0), (two, 1.0)]).tolist() == [[2.0] * 4] * 2


def test_silence_around_a_sentence_is_cut() -> None:
    sound = np.zeros(RATE, np.float32)
    sound[9600:12000] = 0.5
    assert 2400 < without_edges(sound, RATE).size < 6000
    assert without_edges(np.zeros(RATE, np.float32), RATE).size == 0


def test_its_folder_is_a_model_for_speech(tmp_path: Path) -> None:
    backends = Settings(user_data_dir=tmp_path).backends
    assert backends.kind_of(model_folder(KOKORO)) is ModelKind.SPEECH
    assert backends.is_whole_folder(model_folder(KOKORO))
