"""Samplers that drop candidates: each tells, from their logits, which ones to keep.

Logits may be -inf. The likeliest token always stays, but for `xtc`, whose purpose is to drop it.
"""

import math

import numpy as np
import numpy.typing as npt

from modules.backends.sampling.candidates import Mask, entropy, probabilities
from modules.backends.sampling.logprobs import Row, largest

# The unit of these settings in text-generation-webui.
_CUTOFF_UNIT = 1e-4
# Most often few tokens lie above the first of them, and only these have to be sorted.
_BOUNDS = (1e-2, 1e-3, 1e-4, 1e-5)
# Above it at most one token can be dropped, and the sampler would be no more than a ban of the likeliest.
MAX_XTC_THRESHOLD = 0.5
# At 0 the least likely token above it would be one that is banned. The smallest normal number in single precision.
MIN_XTC_THRESHOLD = 1.17549435e-38
_IMPOSSIBLE = 80.0  # e^-80 is still a normal number in single precision


def possible(logits: Row) -> Mask:
    """All but tokens of probability zero, on which an entropy in single precision comes out as no number."""
    mask: Mask = logits > logits.max() - _IMPOSSIBLE
    return mask


def top_k(logits: Row, k: int) -> Mask:
    """The `k` likeliest (Fan et al. 2018, arXiv:1805.04833); of equal ones at the end, the first."""
    return _chosen(largest(logits, k), len(logits))


def top_p(logits: Row, p: float) -> Mask:
    """Nucleus sampling: the fewest likeliest whose probabilities sum to `p` (Holtzman et al. 2019, arXiv:1904.09751).

    Tokens above any bound whose sum reaches `p` hold the whole nucleus, so only they need an order.
    """
    row = np.ascontiguousarray(logits)
    weights = np.exp(row - row.max())
    wanted = p * float(weights.sum(dtype=np.float64))
    likely = _holding(weights, wanted)
    order = likely[np.argsort(-weights[likely], kind="stable")]
    count = int(np.searchsorted(np.cumsum(weights[order], dtype=np.float64), wanted)) + 1
    return _chosen(order[:count], len(weights))


def min_p(logits: Row, p: float) -> Mask:
    """Those at least `p` times as likely as the likeliest (Nguyen et al. 2024, arXiv:2407.01082)."""
    mask: Mask = logits >= logits.max() + math.log(p)
    return mask


def typical_p(logits: Row, p: float) -> Mask:
    """Those whose surprise is nearest to the expected one, until their probabilities exceed `p`.

    Meister et al. 2022, arXiv:2202.00666.
    """
    shares = probabilities(logits)
    with np.errstate(divide="ignore"):
        deviation = np.abs(-np.log(shares) - entropy(shares))
    order = np.argsort(deviation, kind="stable")
    count = int(np.searchsorted(np.cumsum(shares[order]), p, side="right")) + 1
    return _chosen(order[:count], len(order))


def epsilon_cutoff(logits: Row, epsilon: float) -> Mask:
    """Those at least as likely as epsilon · 1e-4 (Hewitt et al. 2022, arXiv:2210.15191)."""
    return _and_best(probabilities(logits) >= epsilon * _CUTOFF_UNIT, logits)


def eta_cutoff(logits: Row, eta: float) -> Mask:
    """The same with a threshold that falls with the entropy: min(η, √η · e^-H), η in units of 1e-4 (ibid.)."""
    shares = probabilities(logits)
    threshold = min(eta * _CUTOFF_UNIT, np.sqrt(eta * _CUTOFF_UNIT) * np.exp(-entropy(shares)))
    return _and_best(shares >= threshold, logits)


def tail_free(logits: Row, z: float) -> Mask:
    """Those before the tail, where the sorted probabilities' curvature has summed to `z` of its total.

    Trenn and Bricken 2019, "Tail Free Sampling", https://www.trentonbricken.com/Tail-Free-Sampling/.
    """
    shares = probabilities(logits)
    everything = np.ones(len(shares), dtype=bool)
    if len(shares) < 3:
        return everything
    order = np.argsort(-shares, kind="stable")
    curvature = np.abs(np.diff(shares[order], n=2))
    total = curvature.sum()
    if total == 0:
        return everything
    kept = int(np.searchsorted(np.cumsum(curvature / total), z, side="right")) + 1
    return _and_best(_chosen(order[:kept], len(order)), logits)


def top_a(logits: Row, a: float) -> Mask:
    """Those at least as likely as a · p_max² (BlinkDL, https://github.com/BlinkDL/RWKV-LM#the-top-a-sampling-method)."""
    shares = probabilities(logits)
    return _and_best(shares >= a * shares.max() ** 2, logits)


def xtc(logits: Row, threshold: float) -> Mask:
    """All but those at least as likely as `threshold`, of which only the least likely stays ("exclude top choices").

    Whether it runs at a position is for the caller to draw.
    Source: https://github.com/oobabooga/text-generation-webui/pull/6335.
    """
    shares = probabilities(logits).astype(np.float32)
    above = np.flatnonzero(shares >= np.float32(max(threshold, MIN_XTC_THRESHOLD)))
    mask = np.ones(len(shares), dtype=bool)
    if len(above) > 1:
        mask[above] = False
        # Of equal ones the last, as if they were sorted.
        mask[above[len(above) - 1 - int(shares[above][::-1].argmin())]] = True
    return mask


def _holding(weights: npt.NDArray[np.float32], wanted: float) -> npt.NDArray[np.intp]:
    """Indices of all weights above some bound, the highest of a few whose sum is `wanted`; of all, if none is."""
    for bound in _BOUNDS:
        indices = np.flatnonzero(weights > bound)
        if float(weights[indices].sum(dtype=np.float64)) >= wanted:
            return indices
    return np.arange(len(weights))


def _and_best(mask: Mask, logits: Row) -> Mask:
    mask[int(logits.argmax())] = True
    return mask


def _chosen(indices: npt.NDArray[np.intp], length: int) -> Mask:
    mask = np.zeros(length, dtype=bool)
    mask[indices] = True
    return mask
