"""From the states of all tokens of a text to its vector."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from modules.backends.encoders.folder import DenseLayer, PoolingMode
from modules.backends.onnx.weights import EncoderWeights, Floats
from modules.errors import LoadFailed

# A vector of zeros is left as it is instead of becoming NaN.
_SMALLEST: Final = 1e-9


@dataclass(frozen=True, slots=True)
class _Dense:
    weight: Floats
    bias: Floats | None
    activation: str

    def __call__(self, vectors: Floats) -> Floats:
        made = vectors @ self.weight.T
        if self.bias is not None:
            made += self.bias
        return np.tanh(made) if self.activation == "Tanh" else made


class VectorHead:
    """Pools states [batch, length, size] by `modes` and applies the dense layers. Raises LoadFailed."""

    def __init__(self, modes: Sequence[PoolingMode], layers: Sequence[DenseLayer]) -> None:
        self._modes = tuple(modes)
        self._layers = tuple(map(_dense, layers))

    def size(self, hidden: int) -> int:
        """Of a vector, where a state has so many numbers."""
        return self._layers[-1].weight.shape[0] if self._layers else hidden * len(self._modes)

    def vectors(self, states: Floats, mask: Floats) -> Floats:
        """`mask` [batch, length] is 1 where a text has a token. Not of length one yet."""
        pooled: Floats = np.concatenate([_pooled(states, mask, mode) for mode in self._modes], axis=1)
        for layer in self._layers:
            pooled = layer(pooled)
        return pooled


def _pooled(states: Floats, mask: Floats, mode: PoolingMode) -> Floats:
    lengths: Floats = mask.sum(axis=1, keepdims=True)
    chosen: Floats
    match mode:
        case PoolingMode.CLS:
            chosen = states[:, 0]
            return chosen
        case PoolingMode.LAST:
            chosen = states[np.arange(len(states)), lengths[:, 0].astype(np.int64) - 1]
            return chosen
        case PoolingMode.MAX:
            chosen = np.where(mask[:, :, None] > 0, states, np.float32(-np.inf)).max(axis=1)
            return chosen
        case PoolingMode.WEIGHTED_MEAN:
            places: Floats = np.arange(1, mask.shape[1] + 1).astype(np.float32)
            mask = mask * places
            lengths = mask.sum(axis=1, keepdims=True)
        case PoolingMode.MEAN_SQRT_LENGTH:
            lengths = np.sqrt(lengths, dtype=np.float32)
    total: Floats = np.matmul(mask[:, None, :], states)[:, 0]
    total /= np.maximum(lengths, np.float32(_SMALLEST))
    return total


def _dense(layer: DenseLayer) -> _Dense:
    if layer.activation not in {"Identity", "Tanh"}:
        raise LoadFailed(f"The activation {layer.activation!r} of a dense layer is unknown.")
    weights = EncoderWeights([layer.weights], ("linear.",))
    has_bias = "bias" in weights
    return _Dense(weights["weight"], weights["bias"] if has_bias else None, layer.activation)
