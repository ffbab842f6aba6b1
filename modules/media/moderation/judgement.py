"""What moderation says of an input."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_THRESHOLD: Final = 0.5


@dataclass(frozen=True, slots=True)
class Judgement:
    """From 0 to 1 for each category, with the types of input by which it was judged."""

    scores: Mapping[str, float]
    applied: Mapping[str, tuple[str, ...]]

    @property
    def categories(self) -> Mapping[str, bool]:
        return {name: score > _THRESHOLD for name, score in self.scores.items()}

    @property
    def is_flagged(self) -> bool:
        return any(self.categories.values())
