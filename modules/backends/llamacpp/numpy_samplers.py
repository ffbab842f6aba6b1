"""Samplers that llama.cpp lacks, on the candidates' logits; each runs only on request."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from modules.backends.llamacpp.candidates import Candidates

Mask = npt.NDArray[np.bool_]
# The unit of these settings in text-generation-webui.
_CUTOFF_UNIT = 1e-4
# Most often few tokens lie above the first of them, and only these have to be sorted.
_BOUNDS = (1e-2, 1e-3, 1e-4, 1e-5)
_IMPOSSIBLE = 80.0  # e^-80 is still a normal number in single precision


def drop_impossible(candidates: Candidates) -> None:
    """Drop tokens of probability zero, on which entropies in llama.cpp's samplers come out as no number."""
    logits = candidates.logits
    candidates.keep(logits > logits.max() - _IMPOSSIBLE)


def top_p(candidates: Candidates, p: float) -> None:
    """Nucleus sampling (Holtzman et al. 2019, arXiv:1904.09751), without sorting what cannot be in the nucleus.

    Tokens above any bound whose sum reaches `p` hold the whole nucleus, so only they need an order.
    """
    logits = np.ascontiguousarray(candidates.logits)
    weights = np.exp(logits - logits.max())
    wanted = p * float(weights.sum(dtype=np.float64))
    likely = _holding(weights, wanted)
    order = likely[np.argsort(-weights[likely], kind="stable")]
    count = int(np.searchsorted(np.cumsum(weights[order], dtype=np.float64), wanted)) + 1
    candidates.keep(_chosen(order[:count], len(weights)))


def quadratic(candidates: Candidates, factor: float, curve: float) -> None:
    """Smoothing: bend logits down with the square (and, for `curve` > 1, cube) of their distance from the best."""
    candidates.keep(np.isfinite(candidates.logits))
    logits = candidates.logits.astype(np.float64)
    distance = logits.max() - logits
    straight, bent = factor * (3 - curve) / 2, factor * (curve - 1) / 2
    candidates.reweigh(logits.max() - (straight * distance**2 + bent * distance**3))


def epsilon_cutoff(candidates: Candidates, epsilon: float) -> None:
    """Drop tokens less likely than epsilon · 1e-4 (Hewitt et al. 2022, arXiv:2210.15191)."""
    _keep_and_best(candidates, candidates.probabilities() >= epsilon * _CUTOFF_UNIT)


def eta_cutoff(candidates: Candidates, eta: float) -> None:
    """The same with a threshold that falls with the entropy: min(η, √η · e^−H), η in units of 1e-4 (ibid.)."""
    probabilities = candidates.probabilities()
    threshold = min(eta * _CUTOFF_UNIT, np.sqrt(eta * _CUTOFF_UNIT) * np.exp(-_entropy(probabilities)))
    _keep_and_best(candidates, probabilities >= threshold)


def tail_free(candidates: Candidates, z: float) -> None:
    """Drop the tail where the sorted probabilities' curvature has summed to `z` (Trenn and Bricken 2019)."""
    probabilities = candidates.probabilities()
    if len(probabilities) < 3:
        return
    order = np.argsort(-probabilities, kind="stable")
    curvature = np.abs(np.diff(probabilities[order], n=2))
    total = curvature.sum()
    if total == 0:
        return
    kept = int(np.searchsorted(np.cumsum(curvature / total), z, side="right")) + 1
    _keep_and_best(candidates, _chosen(order[:kept], len(order)))


def top_a(candidates: Candidates, a: float) -> None:
    """Drop tokens less likely than a · p_max²."""
    probabilities = candidates.probabilities()
    _keep_and_best(candidates, probabilities >= a * probabilities.max() ** 2)


def encoder_repetition(candidates: Candidates, penalty: float, prompt: npt.NDArray[np.int32]) -> None:
    """Favour (`penalty` > 1) or disfavour the tokens of the prompt, which are given once each."""
    logits = candidates.logits.astype(np.float64)
    in_prompt = np.isin(candidates.ids, prompt)
    favoured = np.where(logits < 0, logits / penalty, logits * penalty)
    candidates.reweigh(np.where(in_prompt, favoured, logits))


def no_repeat_ngram(candidates: Candidates, size: int, history: Sequence[int]) -> None:
    """Drop every token that would complete an n-gram of `size` tokens which `history` already holds."""
    if len(history) < size:
        return
    tokens = np.asarray(history, dtype=np.int32)
    if size == 1:
        banned = tokens
    else:
        windows = np.lib.stride_tricks.sliding_window_view(tokens, size)
        banned = windows[(windows[:, :-1] == tokens[-(size - 1) :]).all(axis=1), -1]
    candidates.keep(~np.isin(candidates.ids, banned))


def _holding(weights: npt.NDArray[np.float32], wanted: float) -> npt.NDArray[np.intp]:
    """Indices of all weights above some bound, the highest of a few whose sum is `wanted`; of all, if none is."""
    for bound in _BOUNDS:
        indices = np.flatnonzero(weights > bound)
        if float(weights[indices].sum(dtype=np.float64)) >= wanted:
            return indices
    return np.arange(len(weights))


def _keep_and_best(candidates: Candidates, mask: Mask) -> None:
    mask[int(candidates.logits.argmax())] = True
    candidates.keep(mask)


def _chosen(indices: npt.NDArray[np.intp], length: int) -> Mask:
    mask = np.zeros(length, dtype=bool)
    mask[indices] = True
    return mask


def _entropy(probabilities: npt.NDArray[np.float64]) -> float:
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log(positive)).sum())
