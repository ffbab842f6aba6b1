"""Samplers that give all candidates other logits, from their logits alone."""

import numpy as np
import numpy.typing as npt

from modules.backends.sampling.candidates import entropy, probabilities
from modules.backends.sampling.logprobs import Row

Logits = npt.NDArray[np.float64]


def temperature(logits: Row, value: float) -> Logits:
    """Logits over the temperature (Ackley et al. 1985, "A Learning Algorithm for Boltzmann Machines"); 0 leaves the
    likeliest alone."""
    exact = logits.astype(np.float64)
    if value > 0:
        return exact / value
    alone = np.full(len(exact), -np.inf)
    alone[int(exact.argmax())] = exact.max()
    return alone


def dynamic_temperature(logits: Row, low: float, high: float, exponent: float) -> Logits:
    """A temperature between `low` and `high` by the entropy's share of the highest possible, to the power `exponent`.

    All candidates count for the highest entropy, impossible ones too, as in llama.cpp's "temp-ext".
    Source: https://github.com/ggml-org/llama.cpp/pull/4972.
    """
    low, high = min(low, high), max(low, high)
    if low == high:
        return temperature(logits, low)
    if len(logits) < 2:
        return logits.astype(np.float64)
    share = entropy(probabilities(logits)) / np.log(len(logits))
    return temperature(logits, low + (high - low) * float(share) ** exponent)


def quadratic(logits: Row, factor: float, curve: float) -> Logits:
    """Smoothing: bend logits down with the square (and, for `curve` > 1, cube) of their distance from the best.

    Source: https://github.com/oobabooga/text-generation-webui/pull/5403 (square) and /5551 (cube).
    """
    exact = logits.astype(np.float64)
    straight, bent = factor * (3 - curve) / 2, factor * (curve - 1) / 2
    distance = exact.max() - exact
    with np.errstate(invalid="ignore"):
        # A curve above 3 sets an infinite square against an infinite cube.
        smoothed = exact.max() - (straight * distance**2 + bent * distance**3)
    return np.where(np.isfinite(exact), smoothed, -np.inf)


def top_n_sigma(logits: Row, sigmas: float) -> Logits:
    """Make impossible what lies more than `sigmas` standard deviations of all possible logits below the best.

    Tang et al. 2024, arXiv:2411.07641. As in llama.cpp those tokens stay candidates.
    """
    exact = logits.astype(np.float64)
    deviation = float(exact[np.isfinite(exact)].std())
    return np.where(exact >= exact.max() - sigmas * deviation, exact, -np.inf)
