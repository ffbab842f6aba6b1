"""A transcription model that needs none: it numbers the sounds that it is given.

A sound is what is louder than silence, apart from the next by a fifth of a second of silence. Each is a segment: "Sound 1.",
"Sound 2.", unless the prompt is "say " and the words that each of them has. A prompt "stall" stops after the first segment
until it is cancelled, "hang" whatever happens, "fail" breaks there and "crash" ends the process.
"""

import math
import os
import time
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from modules.backends.transcription import (
    TRANSCRIPTION_RATE,
    SpokenSegment,
    SpokenWord,
    TranscriptionWindow,
    WindowDone,
)
from modules.engine.protocols import ReportProgress
from modules.engine.types import LoadSpec, ModelCard, ModelKind
from modules.process.server import Task

_LOUD: Final = 0.02
_FRAME: Final = TRANSCRIPTION_RATE // 50
_PAUSE_FRAMES: Final = 10
_STALL_SECONDS: Final = 0.005
_LANGUAGE: Final = "en"


class ScriptedTranscriptionLoader:
    """A `MediaLoader`."""

    questions: object = TranscriptionWindow

    def probe(self, spec: LoadSpec) -> ModelCard:
        return ModelCard(
            name=spec.name,
            loader=spec.loader,
            context=0,
            vocabulary=0,
            modalities=("audio",),
            can_score=False,
            kind=ModelKind.TRANSCRIPTION,
        )

    def load(self, spec: LoadSpec, report: ReportProgress) -> "ScriptedTranscriber":
        report(1.0)
        return ScriptedTranscriber(self.probe(spec))


class ScriptedTranscriber:
    """A `MediaModel`."""

    def __init__(self, card: ModelCard) -> None:
        self._card = card

    @property
    def card(self) -> ModelCard:
        return self._card

    def answer(self, question: object, task: Task) -> Iterator[SpokenSegment | WindowDone]:
        assert isinstance(question, TranscriptionWindow)
        samples = np.frombuffer(question.samples, "<f4")
        spans = list(_loud_spans(samples))
        for number, (start, end) in enumerate(spans, 1):
            words = question.prompt[4:] if question.prompt.startswith("say ") else f"Sound {number}."
            yield _segment(words, start + question.offset, end + question.offset, question)
            _play(question.prompt, task)
        yield WindowDone(used=len(samples), language=(question.language or _LANGUAGE) if spans else "")


def _loud_spans(samples: NDArray[np.float32]) -> Iterator[tuple[float, float]]:
    """Begin and end of each sound, in seconds."""
    count = len(samples) // _FRAME
    frames = np.abs(samples[: count * _FRAME]).reshape(count, _FRAME).max(axis=1, initial=0.0)
    loud = np.flatnonzero(frames > _LOUD)
    if not len(loud):
        return
    for run in np.split(loud, np.flatnonzero(np.diff(loud) > _PAUSE_FRAMES) + 1):
        yield _seconds(run[0]), _seconds(run[-1] + 1)


def _seconds(frame: int) -> float:
    return round(float(frame) * _FRAME / TRANSCRIPTION_RATE, 3)


def _segment(text: str, start: float, end: float, question: TranscriptionWindow) -> SpokenSegment:
    words = text.split()
    step = (end - start) / max(1, len(words))
    timed = tuple(
        SpokenWord(f" {word}", round(start + step * place, 3), round(start + step * (place + 1), 3), 0.5)
        for place, word in enumerate(words)
    )
    return SpokenSegment(
        start=start,
        end=end,
        text=f" {text}",
        tokens=tuple(range(len(words))),
        temperature=question.temperature,
        average_logprob=math.log(0.5),
        compression_ratio=1.0,
        words=timed if question.words else (),
    )


def _play(prompt: str, task: Task) -> None:
    """What a prompt asks for besides text."""
    match prompt:
        case "stall":
            while not task.is_cancelled():
                task.advance()
                time.sleep(_STALL_SECONDS)
        case "hang":
            while True:
                task.advance()
                time.sleep(_STALL_SECONDS)
        case "fail":
            raise ValueError
        case "crash":
            os._exit(1)
