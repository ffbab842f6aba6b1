"""The speech process: one voice model, and the files of the replies that are being spoken."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from modules.backends.onnx.speech.encoder import SoundEncoder
from modules.backends.onnx.speech.espeak import Espeak
from modules.backends.onnx.speech.folder import KokoroFolder, read_model
from modules.backends.onnx.speech.kokoro import Kokoro
from modules.backends.onnx.speech.piper import Piper
from modules.backends.onnx.speech.questions import Forget, Say, SoundPiece
from modules.backends.onnx.speech.synthesizer import Synthesizer
from modules.backends.onnx.speech.tempo import changed_tempo, split_speed
from modules.process.server import Task


class Speaker:
    """Sentences of several replies may come in any order; each reply has an encoder of its own from its first
    sentence to its last."""

    def __init__(self, synthesizer: Synthesizer) -> None:
        self._synthesizer = synthesizer
        self._encoders: dict[int, SoundEncoder] = {}

    def answer(self, question: Say | Forget, task: Task) -> Iterator[SoundPiece]:
        if isinstance(question, Forget):
            self._encoders.pop(question.reply, None)
            return
        encoder = self._encoders.get(question.reply)
        if encoder is None:
            encoder = self._encoders[question.reply] = SoundEncoder(question.format, self._synthesizer.rate)
        yield from self._spoken(question, encoder, task)
        if question.is_last and not task.is_cancelled():
            del self._encoders[question.reply]
            yield SoundPiece(encoder.finish())

    def _spoken(self, question: Say, encoder: SoundEncoder, task: Task) -> Iterator[SoundPiece]:
        rate, how = self._synthesizer.rate, question.delivery
        own_speed, rest = split_speed(how.speed)
        for utterance in self._synthesizer.say(question.text, how.voices, own_speed, how.language):
            if task.is_cancelled():
                return
            samples = changed_tempo(utterance.samples, rate, rest) * np.float32(how.volume)
            yield SoundPiece(encoder.add(samples), samples.size / rate, utterance.phonemes)
        if question.pause > 0:
            silence = np.zeros(int(question.pause * rate), np.float32)
            yield SoundPiece(encoder.add(silence), silence.size / rate)


def open_speaker(path: Path, threads: int) -> Speaker:
    """Loads the model. Raises LoadFailed."""
    model, espeak = read_model(path), Espeak()
    if isinstance(model, KokoroFolder):
        return Speaker(Kokoro(model, espeak, threads))
    return Speaker(Piper(model, espeak, threads))
