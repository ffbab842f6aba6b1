"""What draws one token from the candidates that the other samplers left."""

from typing import Final, Protocol

import numpy as np
import numpy.typing as npt

from modules.backends.sampling.candidates import Ids, Probabilities, probabilities
from modules.backends.sampling.logprobs import Row
from modules.backends.sampling.random_numbers import RandomNumbers
from modules.sampling import Sampling

# The paper's m, from which mirostat estimates the exponent of Zipf's law; llama.cpp's default.
MIROSTAT_SAMPLES: Final = 100
_ADAPTIVE_WIDTH: Final = 0.3
_ADAPTIVE_PEAK: Final = 5.0
_ADAPTIVE_SHARPNESS: Final = 10.0
_MAX_DECAY: Final = 0.99


class Selector(Protocol):
    def select(self, ids: Ids, logits: Row) -> int:
        """The token drawn. Tokens whose logit is -inf never are."""
        ...

    def accept(self, token: int) -> None:
        """`token` is now part of the reply; not every one that was drawn becomes so."""
        ...


class Greedy:
    """The likeliest token, of equal ones that of the lowest id."""

    def select(self, ids: Ids, logits: Row) -> int:
        return int(ids[logits == logits.max()].min())

    def accept(self, token: int) -> None:
        pass


class Draw:
    """A draw by the candidates' probabilities: the first token, in order of ids, at which their sum reaches the random
    number."""

    def __init__(self, seed: int | None) -> None:
        self._numbers = RandomNumbers(seed)

    def select(self, ids: Ids, logits: Row) -> int:
        ids, logits = by_id(ids, logits)
        return int(ids[draw(probabilities(logits), self._numbers)])

    def accept(self, token: int) -> None:
        pass


class Mirostat:
    """Keeps the surprise near `tau` bits: the likeliest k tokens are left, k by Zipf's law with an estimated exponent.

    Basu et al. 2020, arXiv:2007.14966, Algorithm 1. `vocabulary` is the number of tokens that the model has.
    """

    def __init__(self, seed: int | None, tau: float, eta: float, vocabulary: int) -> None:
        self._numbers = RandomNumbers(seed)
        self._tau, self._eta, self._vocabulary = tau, eta, vocabulary
        self._limit = 2 * tau

    def select(self, ids: Ids, logits: Row) -> int:
        order = likeliest_first(ids, logits)
        shares = probabilities(logits[order])
        return self._learn(ids[order], shares[: self._count(shares)])

    def accept(self, token: int) -> None:
        pass

    def _count(self, shares: Probabilities) -> int:
        """How many of the likeliest stay. Infinities and what is no number come of equal or very few candidates."""
        with np.errstate(all="ignore"):
            exponent = self._zipf_exponent(shares)
            excess = exponent - 1
            ratio = excess * 2.0**self._limit / (1 - float(self._vocabulary) ** -excess)
            count = np.power(ratio, 1 / exponent)
        return int(count) if 1 <= count <= len(shares) else 1 if count < 1 else len(shares)

    def _zipf_exponent(self, shares: Probabilities) -> np.float64:
        top = shares[:MIROSTAT_SAMPLES]
        ranks = np.arange(len(top) - 1)
        ratios = np.log((ranks + 2) / (ranks + 1))
        return np.float64((ratios * np.log(top[:-1] / top[1:])).sum()) / np.float64((ratios**2).sum())

    def _learn(self, ids: Ids, shares: Probabilities) -> int:
        left = shares / shares.sum()
        chosen = draw(left, self._numbers)
        self._limit -= self._eta * (-float(np.log2(left[chosen])) - self._tau)
        return int(ids[chosen])


class MirostatV2(Mirostat):
    """The same without the estimate: tokens whose surprise is above the limit are dropped.

    Basu et al. 2020, arXiv:2007.14966, as simplified by its authors: https://github.com/basusourya/mirostat.
    """

    def _count(self, shares: Probabilities) -> int:
        with np.errstate(divide="ignore"):
            return max(1, int((-np.log2(shares) <= self._limit).sum()))


class AdaptiveP:
    """Favours tokens whose probability is near a target, which moves so that the average of those chosen comes to it.

    Source: https://github.com/ggml-org/llama.cpp/pull/17927.
    """

    def __init__(self, seed: int | None, target: float, decay: float) -> None:
        self._numbers = RandomNumbers(seed)
        self._target, self._decay = target, min(max(decay, 0.0), _MAX_DECAY)
        self._weight = 1 / (1 - self._decay)
        self._sum = target * self._weight
        self._drawn: tuple[int, float] | None = None

    def select(self, ids: Ids, logits: Row) -> int:
        ids, logits = by_id(ids, logits)
        shares = probabilities(logits)
        target = min(max(2 * self._target - self._sum / self._weight, 0.0), 1.0)
        distance = np.abs(shares - target) / _ADAPTIVE_WIDTH
        bent = _ADAPTIVE_PEAK - _ADAPTIVE_SHARPNESS * distance**2 / (1 + distance)
        bent[logits == -np.inf] = -np.inf
        chosen = draw(probabilities(bent.astype(np.float32)), self._numbers)
        token = int(ids[chosen])
        self._drawn = token, float(shares[chosen])
        return token

    def accept(self, token: int) -> None:
        if self._drawn is not None and self._drawn[0] == token:
            self._sum = self._drawn[1] + self._decay * self._sum
            self._weight = 1 + self._decay * self._weight
        self._drawn = None


def selector_of(sampling: Sampling, seed: int | None, vocabulary: int) -> Selector:
    """`vocabulary` is the number of tokens that the model has."""
    if sampling.is_greedy:
        return Greedy()
    if sampling.mirostat_mode == 1:
        return Mirostat(seed, sampling.mirostat_tau, sampling.mirostat_eta, vocabulary)
    if sampling.mirostat_mode == 2:
        return MirostatV2(seed, sampling.mirostat_tau, sampling.mirostat_eta, vocabulary)
    if sampling.adaptive_target > 0:
        return AdaptiveP(seed, sampling.adaptive_target, sampling.adaptive_decay)
    return Draw(seed)


def draw(shares: Probabilities, numbers: RandomNumbers) -> int:
    """A position, by the probabilities there. A lone one takes no random number."""
    if len(shares) == 1:
        return 0
    sums = np.cumsum(shares)
    # Above zero, so that a token of probability zero is never reached.
    wanted = max(numbers.double() * float(sums[-1]), 5e-324)
    return int(np.searchsorted(sums, wanted))


def by_id(ids: Ids, logits: Row) -> tuple[Ids, Row]:
    # Looking is cheaper than sorting, and most often they are in order.
    if (ids[1:] > ids[:-1]).all():
        return ids, logits
    order = np.argsort(ids)
    return ids[order], logits[order]


def likeliest_first(ids: Ids, logits: Row) -> npt.NDArray[np.intp]:
    """Positions in order of falling logits; equal ones in order of ids."""
    return np.lexsort((ids, -logits))
