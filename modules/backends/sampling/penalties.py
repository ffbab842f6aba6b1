"""Samplers that look at earlier tokens, and the biases and bans of a request."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from modules.backends.sampling.candidates import Ids, Mask
from modules.backends.sampling.logprobs import Row
from modules.sampling import Sampling

Logits: TypeAlias = npt.NDArray[np.float64]
# Sequences of tokens by their first one, without it.
Breakers: TypeAlias = Mapping[int, tuple[tuple[int, ...], ...]]
# The logarithm of the largest number in single precision, beyond which a power is infinite.
_MAX_LOG: Final = 88.7228391
_FLAT_BASE: Final = 1.000001


@dataclass(frozen=True, slots=True)
class LogitBias:
    """What a request adds to raw logits; -inf for tokens that it bans."""

    ids: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]

    @classmethod
    def of(cls, sampling: Sampling) -> "LogitBias | None":
        biases = sampling.logit_bias | dict.fromkeys(sampling.banned_tokens, -np.inf)
        if not biases:
            return None
        return cls(np.fromiter(biases.keys(), np.int64), np.fromiter(biases.values(), np.float32))

    def add_to(self, row: Row) -> None:
        row[self.ids] += self.values


@dataclass(frozen=True, slots=True, kw_only=True)
class Dry:
    """The sampler "don't repeat yourself": the tokens that would lengthen a repetition, and by how much they become less likely.

    The penalty is multiplier · base^(length - allowed_length), where `length` counts the tokens that the end of the
    text shares with an earlier place; a repetition does not reach back over a breaker, and single tokens that are
    breakers are not penalised. Source: https://github.com/oobabooga/text-generation-webui/pull/5677, and
    https://github.com/ggml-org/llama.cpp/pull/9702 for breakers of several tokens.
    """

    multiplier: float
    base: float
    allowed_length: int
    breakers: Breakers

    def apply(self, logits: Row, ids: Ids, tokens: npt.NDArray[np.int32]) -> Logits:
        changed = logits.astype(np.float64)
        for token, length in self._repeats(tokens).items():
            if () not in self.breakers.get(token, ()):
                exponent = min(length - self.allowed_length, self._max_exponent)
                changed[ids == token] -= self.multiplier * self.base**exponent
        return changed

    @property
    def _max_exponent(self) -> int:
        """A higher one changes nothing (a base of 1) or makes an infinite penalty."""
        return int(_MAX_LOG / np.log(self.base)) if self.base > _FLAT_BASE else 0

    def _repeats(self, tokens: npt.NDArray[np.int32]) -> dict[int, int]:
        """Tokens that once followed what the text ends with now, with the most tokens that were the same."""
        if len(tokens) <= self.allowed_length or self.base < 1:
            return {}
        reach = self._reach(tokens)
        if reach < self.allowed_length:
            return {}
        reach = min(reach, self.allowed_length + self._max_exponent)
        found: dict[int, int] = {}
        length, ends = 0, np.arange(len(tokens) - 1)
        while len(ends):
            if length >= self.allowed_length:
                found.update(dict.fromkeys(tokens[ends + 1].tolist(), length))
            if length == reach:
                break
            ends = ends[ends >= length]
            ends = ends[tokens[ends - length] == tokens[-1 - length]]
            length += 1
        return found

    def _reach(self, tokens: npt.NDArray[np.int32]) -> int:
        """How many tokens follow the last breaker."""
        for at in self._heads(tokens):
            after = len(tokens) - 1 - at
            tails = [
                len(tail)
                for tail in self.breakers[int(tokens[at])]
                if len(tail) <= after and tuple(tokens[at + 1 : at + 1 + len(tail)].tolist()) == tail
            ]
            if tails:
                return after - max(tails)
        return len(tokens)

    def _heads(self, tokens: npt.NDArray[np.int32]) -> Iterator[int]:
        """Where a breaker may begin, the last place first."""
        for at in range(len(tokens) - 1, -1, -1):
            if int(tokens[at]) in self.breakers:
                yield at


def breakers_of(sequences: Sequence[Sequence[int]]) -> Breakers:
    """Breakers as `Dry` takes them; empty ones are left out."""
    tails: dict[int, list[tuple[int, ...]]] = {}
    for sequence in sequences:
        if sequence:
            tails.setdefault(sequence[0], []).append(tuple(sequence[1:]))
    return {head: tuple(dict.fromkeys(each)) for head, each in tails.items()}


def penalties(
    logits: Row, ids: Ids, tokens: npt.NDArray[np.int32], *, repetition: float, presence: float, frequency: float
) -> Logits:
    """Make tokens that occur in `tokens` less likely.

    Their logits are divided by `repetition` where positive and multiplied by it elsewhere (Keskar et al. 2019,
    arXiv:1909.05858), then lowered by `presence` and by `frequency` for each time they occur (OpenAI's API reference).
    """
    exact = logits.astype(np.float64)
    counts = np.bincount(tokens, minlength=int(ids.max()) + 1)[ids] if len(tokens) else np.zeros(len(ids))
    repeated = np.where(exact <= 0, exact * repetition, exact / repetition)
    return np.where(counts > 0, repeated - presence - counts * frequency, exact)


def encoder_repetition(logits: Row, ids: Ids, penalty: float, prompt: npt.NDArray[np.int32]) -> Logits:
    """Favour (`penalty` > 1) or disfavour the tokens of the prompt, which are given once each.

    The inverse of a repetition penalty: https://huggingface.co/docs/transformers/internal/generation_utils
    (EncoderRepetitionPenaltyLogitsProcessor).
    """
    exact = logits.astype(np.float64)
    favoured = np.where(exact < 0, exact / penalty, exact * penalty)
    return np.where(np.isin(ids, prompt), favoured, exact)


def no_repeat_ngram(ids: Ids, size: int, history: Sequence[int]) -> Mask:
    """All but tokens that would complete an n-gram of `size` tokens which `history` already holds.

    Paulus et al. 2017, arXiv:1705.04304.
    """
    if len(history) < size:
        return np.ones(len(ids), dtype=bool)
    tokens = np.asarray(history, dtype=np.int32)
    if size == 1:
        banned = tokens
    else:
        windows = np.lib.stride_tricks.sliding_window_view(tokens, size)
        banned = windows[(windows[:, :-1] == tokens[-(size - 1) :]).all(axis=1), -1]
    return ~np.isin(ids, banned)
