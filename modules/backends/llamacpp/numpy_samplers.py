"""Samplers that llama.cpp does not have, on the candidates' logits. Each runs only when a request asks for it."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from modules.backends.llamacpp.candidates import Candidates

Mask = npt.NDArray[np.bool_]
_CUTOFF_UNIT = 1e-4


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
    _keep_and_best(candidates, _first(order, kept))


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


def _keep_and_best(candidates: Candidates, mask: Mask) -> None:
    mask[int(candidates.logits.argmax())] = True
    candidates.keep(mask)


def _first(order: npt.NDArray[np.intp], count: int) -> Mask:
    mask = np.zeros(len(order), dtype=bool)
    mask[order[:count]] = True
    return mask


def _entropy(probabilities: npt.NDArray[np.float64]) -> float:
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log(positive)).sum())
