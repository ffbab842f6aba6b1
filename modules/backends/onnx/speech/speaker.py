"""One voice model, and the files of the replies that it is speaking."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from modules.backends.onnx.speech.encoder import SoundEncoder
from modules.backends.onnx.speech.espeak import Espeak
from modules.backends.onnx.speech.folder import KokoroFolder, read_model
from modules.backends.onnx.speech.kokoro import Kokoro
from modules.backends.onnx.speech.piper import Piper
from modules.backends.onnx.speech.synthesizer import Synthesizer
from modules.backends.onnx.speech.tempo import changed_tempo, split_speed
from modules.backends.speaking.questions import Say, SoundPiece
from modules.engine.protocols import MediaLoader, MediaModel, ReportProgress
from modules.engine.types import LoadSpec, ModelCard, ModelKind
from modules.errors import LoadFailed
from modules.process.server import Task

# A text without a word is a moment of silence, so that every answer is a sound that can be played.
_LEAST_SECONDS: Final = 0.1


class Speaker(MediaModel):
    """Sentences of several replies may come in any order; each reply has an encoder of its own from its first
    sentence to its last."""

    def __init__(self, synthesizer: Synthesizer, card: ModelCard) -> None:
        self._synthesizer = synthesizer
        self._card = card
        self._encoders: dict[int, SoundEncoder] = {}

    @property
    def card(self) -> ModelCard:
        return self._card

    def answer(self, question: Any, task: Task) -> Iterator[SoundPiece]:  # noqa: ANN401 - the loader types it
        assert isinstance(question, Say)
        for reply in question.over:
            self._encoders.pop(reply, None)
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
        pause = question.pause if question.text else _LEAST_SECONDS
        if pause > 0:
            silence = np.zeros(int(pause * rate), np.float32)
            yield SoundPiece(encoder.add(silence), silence.size / rate)


class SpeechLoader(MediaLoader):
    @property
    def questions(self) -> object:
        return Say

    def probe(self, spec: LoadSpec) -> ModelCard:
        model = read_model(Path(spec.path))
        if not model.voice_names:
            raise LoadFailed(f"{spec.name} has no voice.")
        return _card(spec)

    def load(self, spec: LoadSpec, report: ReportProgress) -> Speaker:
        speaker = Speaker(_synthesizer(Path(spec.path), spec.threads), _card(spec))
        report(1.0)
        return speaker


def _synthesizer(path: Path, threads: int) -> Synthesizer:
    model, espeak = read_model(path), Espeak()
    return Kokoro(model, espeak, threads) if isinstance(model, KokoroFolder) else Piper(model, espeak, threads)


def _card(spec: LoadSpec) -> ModelCard:
    graph = read_model(Path(spec.path)).graph
    return ModelCard(
        name=spec.name,
        loader=spec.loader,
        context=0,
        trained_context=0,
        vocabulary=0,
        size_bytes=graph.stat().st_size,
        kind=ModelKind.SPEECH,
    )
