"""The interface to a voice model, and what holds for the sound of all of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.float32]

# Quieter than this is silence: 46 dB below the loudest possible.
_SILENT: Final = 0.005
_LEAD_SECONDS: Final = 0.03
_TAIL_SECONDS: Final = 0.08


@dataclass(frozen=True, slots=True)
class Utterance:
    """Mono samples, and how many phonemes they say."""

    samples: Samples
    phonemes: int


class Synthesizer(Protocol):
    @property
    def rate(self) -> int:
        """Samples a second."""
        ...

    def say(self, text: str, voices: tuple[tuple[str, float], ...], speed: float, language: str) -> Iterator[Utterance]:
        """A sentence, in as many pieces as the model needs. `speed` is within SPEEDS. Raises BadRequest."""
        ...


def without_edges(samples: Samples, rate: int) -> Samples:
    """Without the silence that models put around each sentence, so that pauses are ours to choose."""
    loud = np.flatnonzero(np.abs(samples) > _SILENT)
    if not loud.size:
        return samples[:0]
    begin = max(0, int(loud[0]) - int(_LEAD_SECONDS * rate))
    return samples[begin : int(loud[-1]) + int(_TAIL_SECONDS * rate)]
