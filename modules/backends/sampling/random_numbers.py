"""Uniform random numbers from a seed: the same ones that llama.cpp's samplers draw on Linux.

Both use the Mersenne Twister MT19937 (Matsumoto and Nishimura 1998) with its original seeding. Numbers are made from its
words as `generate_canonical` of the C++ standard library (libstdc++) does.
"""

from typing import Final

import numpy as np

_SEEDS: Final = 0xFFFFFFFF  # seeds have 32 bits, and llama.cpp's last one means "draw one"
_WORD: Final = 2**32


class RandomNumbers:
    """Numbers in [0, 1). `seed` None draws one from the system."""

    def __init__(self, seed: int | None) -> None:
        self._state = np.random.RandomState(None if seed is None else seed % _SEEDS)

    def single(self) -> np.float32:
        """In single precision, from one word."""
        number = np.float32(self._word()) / np.float32(_WORD)
        return min(number, np.nextafter(np.float32(1), np.float32(0)))

    def double(self) -> float:
        """In double precision, from two words, the lower one first."""
        low, high = self._word(), self._word()
        return min((low + high * _WORD) / _WORD**2, float(np.nextafter(1.0, 0.0)))

    def _word(self) -> int:
        return int.from_bytes(self._state.bytes(4), "little")
