"""Judges texts and pictures, by a classifier where there is one.

Else by how much a text is like the examples of each category: a heuristic on top of the embedding model.
"""

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import mul
from typing import Final, TypeAlias

from modules.errors import BadRequest
from modules.media.embeddings import EmbeddingRequest, EmbeddingService
from modules.media.moderation.classifier import ClassifierModeration
from modules.media.moderation.examples import EXAMPLES, HARMLESS
from modules.media.moderation.judgement import Judgement
from modules.media.moderation.pictures import JUDGED, PictureModeration
from modules.media.texts import vector_of

Vector: TypeAlias = tuple[float, ...]

# Chosen so that of the sentences in tests/media/moderation_cases.py few harmless ones and nearly all others are flagged.
_STEEPNESS: Final = 25.0
_MIDDLE: Final = 0.155
_NEAREST: Final = 2
PICTURES_MODEL: Final = "open_nsfw"
_MAX_WINDOW: Final = 400
_MAX_WINDOWS: Final = 200
_SENTENCE_END: Final = re.compile(r"(?<=[.!?。！？\n])\s+")


@dataclass(frozen=True, slots=True)
class _Measure:
    """The vectors of the examples, by an embedding model's name."""

    model: str
    harmless: tuple[Vector, ...]
    categories: Mapping[str, tuple[Vector, ...]]

    def score(self, vector: Vector, category: str) -> float:
        margin = _nearness(vector, self.categories[category]) - _nearness(vector, self.harmless)
        return 1 / (1 + math.exp(-_STEEPNESS * (margin - _MIDDLE)))


class ModerationService:
    """Judges texts with `classifier` where it is there, else with the default embedding model, whose vectors of the
    examples are made once, and pictures with `pictures`."""

    def __init__(
        self, embeddings: EmbeddingService, classifier: ClassifierModeration, pictures: PictureModeration
    ) -> None:
        self._embeddings = embeddings
        self._classifier = classifier
        self._pictures = pictures
        self._measure: _Measure | None = None
        self._measuring = asyncio.Lock()

    async def judge(self, texts: Sequence[str], name: str | None = None) -> tuple[str, list[Judgement]]:
        """The name of the model that judged, and a judgement of each text, of which its worst part decides; `name` may be
        that of a classifier. Raises BadRequest, and what `EmbeddingService.embed` does."""
        if await self._classifier.is_there():
            return await self._classifier.judge(texts, name)
        windows = [_windows(text) for text in texts]
        vectors, model = await self._vectors(list(chain.from_iterable(windows)))
        measure = await self._measure_of(model)
        rest = iter(vectors)
        judged = [[next(rest) for _ in each] for each in windows]
        return model, await asyncio.to_thread(lambda: [_judged(measure, each) for each in judged])

    async def judge_with_pictures(
        self, text: str, pictures: Sequence[str], params: Sequence[str], name: str | None = None
    ) -> tuple[str, Judgement]:
        """Of one input, whose `text` may be empty. Raises BadRequest, EngineFailed, and like `judge`."""
        score = await self._pictures.score(pictures, params)
        model, judged = PICTURES_MODEL, Judgement(dict.fromkeys(EXAMPLES, 0.0), dict.fromkeys(EXAMPLES, ()))
        if text.strip():
            model, (judged,) = await self.judge([text], name)
        scores = {**judged.scores, JUDGED: max(score, judged.scores[JUDGED])}
        applied = {**judged.applied, JUDGED: (*judged.applied[JUDGED], "image")}
        return model, Judgement(scores, applied)

    async def _measure_of(self, model: str) -> _Measure:
        async with self._measuring:
            if self._measure is None or self._measure.model != model:
                given = [*HARMLESS, *chain.from_iterable(EXAMPLES.values())]
                vectors, used = await self._vectors(given)
                rest = iter(vectors)
                harmless = tuple(next(rest) for _ in HARMLESS)
                categories = {name: tuple(next(rest) for _ in texts) for name, texts in EXAMPLES.items()}
                self._measure = _Measure(used, harmless, categories)
            return self._measure

    async def _vectors(self, texts: Sequence[str]) -> tuple[list[Vector], str]:
        found = await self._embeddings.embed(EmbeddingRequest(model=None, inputs=tuple(texts)))
        return [vector_of(row) for row in found.vectors], found.model


def _judged(measure: _Measure, vectors: Sequence[Vector]) -> Judgement:
    scores = {name: max(measure.score(vector, name) for vector in vectors) for name in EXAMPLES}
    return Judgement(scores, dict.fromkeys(EXAMPLES, ("text",)))


def _nearness(vector: Vector, examples: Sequence[Vector]) -> float:
    """The mean of the nearest cosines."""
    cosines: list[float] = sorted((sum(map(mul, vector, example)) for example in examples), reverse=True)
    return sum(cosines[:_NEAREST]) / _NEAREST


def _windows(text: str) -> list[str]:
    """Sentences, long ones in pieces. Raises BadRequest for a text of too many."""
    sentences = [sentence for sentence in _SENTENCE_END.split(text) if sentence.strip()] or [text]
    pieces = [
        sentence[at : at + _MAX_WINDOW] for sentence in sentences for at in range(0, max(1, len(sentence)), _MAX_WINDOW)
    ]
    if len(pieces) > _MAX_WINDOWS:
        raise BadRequest("A text is too long to be moderated: send it in pieces of 32,000 characters.", param="input")
    return pieces
