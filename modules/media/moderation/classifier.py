"""How likely texts are of each category, by a text classifier on disk."""

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final

from modules.backends.encoders.moderation_labels import categories_of
from modules.engine.protocols import Engine
from modules.engine.types import ModelKind
from modules.errors import BadRequest
from modules.media.moderation.examples import EXAMPLES
from modules.media.moderation.judgement import Judgement
from modules.media.texts import each, embedding, rows, vector_of
from modules.models.pool import ModelPool

# What two neighbouring parts of a long text share, so that no sentence is only seen cut.
_OVERLAP: Final = 0.25
_MAX_PARTS: Final = 200
# e to the power of more is no float.
_LARGEST: Final = 700.0


class ClassifierModeration:
    def __init__(self, models: ModelPool) -> None:
        self._models = models

    async def is_there(self) -> bool:
        """Raises NotInstalled when the classifier that the operator named is not there."""
        return bool(await self._models.choices(ModelKind.MODERATION))

    async def judge(self, texts: Sequence[str], name: str | None) -> tuple[str, list[Judgement]]:
        """The classifier's name, and a judgement of each text, of which its worst part decides; `name` may be that of
        another classifier. Raises BadRequest, NotInstalled, LoadFailed, NoRoom, Busy, EngineFailed."""
        kind = await self._models.kind_named(name)
        chosen = name if kind is ModelKind.MODERATION else None
        async with self._models.lease(chosen, kind=ModelKind.MODERATION) as engine:
            parts = await each(texts, lambda text: _parts(engine, text))
            begin, end = engine.card.embedding_frame
            framed = [embedding((*begin, *part, *end)) for part in chain.from_iterable(parts)]
            scores = iter(map(vector_of, await rows(engine, framed)))
            groups = engine.card.label_groups
            judged = [[category_scores(groups, next(scores)) for _ in of_text] for of_text in parts]
            return engine.card.name, [_worst(of_text, groups) for of_text in judged]


def category_scores(groups: Sequence[Sequence[str]], logits: Sequence[float]) -> Mapping[str, float]:
    """Of the categories that the labels stand for: the most that any of its labels has."""
    found: dict[str, float] = {}
    rest = iter(logits)
    for group in groups:
        shares = _shares([next(rest) for _ in group])
        for names, share in zip(categories_of(group), shares, strict=True):
            for name in names:
                found[name] = max(share, found.get(name, 0.0))
    return found


def _shares(logits: Sequence[float]) -> list[float]:
    """Of labels that exclude each other, or of one that stands alone."""
    if len(logits) == 1:
        return [1 / (1 + math.exp(min(-logits[0], _LARGEST)))]
    largest = max(logits)
    powers = [math.exp(logit - largest) for logit in logits]
    return [power / sum(powers) for power in powers]


def _worst(scores: Sequence[Mapping[str, float]], groups: Sequence[Sequence[str]]) -> Judgement:
    known = {name for group in groups for names in categories_of(group) for name in names}
    return Judgement(
        {name: max(each.get(name, 0.0) for each in scores) for name in EXAMPLES},
        {name: ("text",) if name in known else () for name in EXAMPLES},
    )


async def _parts(engine: Engine, text: str) -> list[list[int]]:
    """The tokens of a text, in pieces that the classifier can read. Raises BadRequest for too many."""
    tokens = await engine.tokenize(text, special=False)
    begin, end = engine.card.embedding_frame
    room = engine.card.context - len(begin) - len(end)
    shared = int(room * _OVERLAP)
    parts = [tokens[at : at + room] for at in range(0, max(1, len(tokens) - shared), room - shared)]
    if len(parts) > _MAX_PARTS:
        raise BadRequest("A text is too long to be moderated: send it in several requests.", param="input")
    return parts
