"""Log-probabilities of tokens at one position, from its raw logits or from what the samplers left."""

from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from modules.engine.types import Alternative, TokenLogprob

Row: TypeAlias = npt.NDArray[np.float32]
# Token ids, and the log-probability of each.
Distribution: TypeAlias = tuple[npt.NDArray[Any], npt.NDArray[np.float64]]


class ShowsTokens(Protocol):
    def shown(self, token: int) -> bytes:
        """The token's bytes, those of control tokens too."""
        ...


def from_logits(row: Row, token: int, wanted: int, tokenizer: ShowsTokens) -> TokenLogprob:
    """`token` and the `wanted` most likely tokens, under the softmax of `row`."""
    highest = float(row.max())
    total = highest + float(np.log(np.exp(row - highest).sum(dtype=np.float64)))
    top = tuple(_alternative(int(best), float(row[best]) - total, tokenizer) for best in largest(row, wanted))
    return TokenLogprob(token, tokenizer.shown(token), float(row[token]) - total, top)


def from_distribution(remaining: Distribution, token: int, wanted: int, tokenizer: ShowsTokens) -> TokenLogprob:
    """The same under what remains after the samplers, whose log-probabilities are given."""
    ids, logprobs = remaining
    top = tuple(_alternative(int(ids[best]), float(logprobs[best]), tokenizer) for best in largest(logprobs, wanted))
    chosen = logprobs[ids == token]
    return TokenLogprob(token, tokenizer.shown(token), float(chosen[0]) if len(chosen) else -np.inf, top)


def _alternative(token: int, logprob: float, tokenizer: ShowsTokens) -> Alternative:
    return Alternative(token, tokenizer.shown(token), logprob)


def largest(values: npt.NDArray[np.floating], count: int) -> npt.NDArray[np.intp]:
    """Indices of the `count` largest values, largest first; ties in order of index."""
    count = min(count, len(values))
    if count == 0:
        return np.empty(0, dtype=np.intp)
    least = np.partition(values, len(values) - count)[len(values) - count]
    above = np.flatnonzero(values > least)
    chosen = np.concatenate((above, np.flatnonzero(values == least)[: count - len(above)]))
    return chosen[np.lexsort((chosen, -values[chosen]))]
