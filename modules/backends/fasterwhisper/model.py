"""A loaded Whisper model: windows of a recording → segments of text, in its own process."""

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.transcribe import Segment, Word, restore_speech_timestamps
from faster_whisper.vad import VadOptions, collect_chunks, get_speech_timestamps
from numpy.typing import NDArray

from modules.backends.transcription import (
    TRANSCRIPTION_RATE,
    SpokenSegment,
    SpokenWord,
    TranscriptionWindow,
    VoiceActivity,
    WindowDone,
)
from modules.engine.types import ModelCard
from modules.errors import BadRequest
from modules.process.server import Task

_Floats = NDArray[np.float32]
# Each is tried where the one before gave text that is unlikely or repeats itself.
_LADDER: Final = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
# Silence in which words were found that take longer than this was not transcribed but made up.
_SILENCE_SECONDS: Final = 2.0
# Where a window that goes on is cut: in the quietest fifth of a second of its last half minute.
_CUT_SECONDS: Final = 30
_QUIET_SECONDS: Final = 0.2
_FRAMES_PER_SECOND: Final = 100


class WhisperTranscriber:
    """A `MediaModel`. Cancelled between two segments."""

    def __init__(self, model: WhisperModel, card: ModelCard, *, beam_size: int, can_translate: bool) -> None:
        self._model = model
        self._card = card
        self._beam_size = beam_size
        self._can_translate = can_translate and model.model.is_multilingual

    @property
    def card(self) -> ModelCard:
        return self._card

    def answer(self, question: object, task: Task) -> Iterator[SpokenSegment | WindowDone]:
        assert isinstance(question, TranscriptionWindow)
        self._check(question)
        samples: _Floats = np.frombuffer(question.samples, "<f4")
        if not question.is_last:
            samples = samples[: quiet_place(samples)]
        spoken, chunks = _speech(samples, question.voice)
        task.advance()
        language = ""
        if len(spoken):
            language = question.language or self._language(spoken, question.languages)
            for segment in self._segments(spoken, chunks, language, question):
                yield _said(segment, question.offset)
        yield WindowDone(used=len(samples), language=language)

    def _check(self, question: TranscriptionWindow) -> None:
        name = self._card.name
        if question.translates and not self._can_translate:
            raise BadRequest(f"{name} cannot translate; it only writes down what is said.", param="model")
        known = self._model.supported_languages
        for language in (question.language, *question.languages):
            if language and language not in known:
                raise BadRequest(f"{name} does not know the language '{language}'.", param="language")

    def _language(self, spoken: _Floats, among: tuple[str, ...]) -> str:
        if len(among) == 1 or not self._model.model.is_multilingual:
            return among[0] if among else "en"
        best, _, found = self._model.detect_language(audio=spoken)
        shares = {language: share for language, share in found if language in among}
        return str(max(shares, key=lambda each: shares[each]) if shares else best)

    def _segments(
        self, spoken: _Floats, chunks: list[dict[str, int]], language: str, question: TranscriptionWindow
    ) -> Iterable[Segment]:
        asks_silence = question.words and question.voice is not None
        segments, _ = self._model.transcribe(
            spoken,
            language=language,
            task="translate" if question.translates else "transcribe",
            beam_size=self._beam_size,
            temperature=_LADDER if question.temperature == 0 else question.temperature,
            # Text that goes wrong once would go wrong from there on.
            condition_on_previous_text=False,
            initial_prompt=question.prompt or None,
            hotwords=question.hotwords or None,
            word_timestamps=question.words,
            without_timestamps=not question.timestamps,
            hallucination_silence_threshold=_SILENCE_SECONDS if asks_silence else None,
        )
        found: Iterable[Segment] = segments
        return restore_speech_timestamps(found, chunks, TRANSCRIPTION_RATE) if chunks else found


def _speech(samples: _Floats, voice: VoiceActivity | None) -> tuple[_Floats, list[dict[str, int]]]:
    """What is spoken, joined, and from where to where it was; all of it, and nothing, where that is not asked."""
    if voice is None or len(samples) == 0:
        return samples, []
    options = VadOptions(
        threshold=voice.threshold, min_silence_duration_ms=voice.silence_ms, speech_pad_ms=voice.padding_ms
    )
    chunks = get_speech_timestamps(samples, options)
    return np.concatenate(collect_chunks(samples, chunks)[0]), chunks


def quiet_place(samples: _Floats) -> int:
    """Where to cut what goes on: in the middle of the quietest moment near the end."""
    piece = int(_QUIET_SECONDS * TRANSCRIPTION_RATE)
    count = min(len(samples), _CUT_SECONDS * TRANSCRIPTION_RATE) // piece
    if count == 0:
        return len(samples)
    begin = len(samples) - count * piece
    loudness = np.square(samples[begin:].reshape(count, piece)).mean(axis=1)
    # The last of equally quiet ones, so that silence is cut at its end.
    quietest = count - 1 - int(np.argmin(loudness[::-1]))
    return begin + quietest * piece + piece // 2


def _said(segment: Segment, offset: float) -> SpokenSegment:
    return SpokenSegment(
        start=_time(segment.start, offset),
        end=_time(segment.end, offset),
        text=segment.text,
        seek=int(segment.seek) + round(offset * _FRAMES_PER_SECOND),
        tokens=tuple(map(int, segment.tokens)),
        temperature=float(segment.temperature or 0.0),
        average_logprob=float(segment.avg_logprob),
        compression_ratio=float(segment.compression_ratio),
        no_speech_probability=float(segment.no_speech_prob),
        words=tuple(_word(word, offset) for word in segment.words or ()),
    )


def _word(word: Word, offset: float) -> SpokenWord:
    return SpokenWord(word.word, _time(word.start, offset), _time(word.end, offset), float(word.probability))


def _time(seconds: float, offset: float) -> float:
    return round(float(seconds) + offset, 3)
