"""Attention over several sequences at once, whatever their lengths.

Their new tokens stand in one row, one sequence behind the other; the keys and values of each are kept apart. Registered under a name of its own with Transformers, which then makes no masks and hands over queries, keys and values.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, TypeAlias

import torch
from torch.nn import functional

from modules.backends.transformers.library import transformers
from modules.backends.transformers.options import SPARE_SHARE

NAME: Final = "packed"
# Keys and values grow by so many tokens at once, and by a share of what there is.
_GROWTH: Final = 64

Numbers: TypeAlias = torch.Tensor


class SequenceCache:
    """Keys and values of one sequence: for each layer [heads, room, width], of which `length` tokens are in use."""

    def __init__(self) -> None:
        self.length = 0
        self._layers: dict[int, tuple[Numbers, Numbers]] = {}

    def extend(self, layer: int, keys: Numbers, values: Numbers) -> tuple[Numbers, Numbers]:
        """Writes [heads, tokens, width] behind what is in use, and returns all keys and values; `length` stays."""
        end = self.length + keys.shape[1]
        held = self._layers.get(layer)
        if held is None or held[0].shape[1] < end:
            held = self._layers[layer] = (self._grown(held, 0, keys, end), self._grown(held, 1, values, end))
        held[0][:, self.length : end] = keys
        held[1][:, self.length : end] = values
        return held[0][:, :end], held[1][:, :end]

    def copy(self, length: int) -> "SequenceCache":
        """One of its own with the first `length` tokens."""
        made = SequenceCache()
        made.length = length
        made._layers = {
            layer: (keys[:, :length].clone(), values[:, :length].clone())
            for layer, (keys, values) in self._layers.items()
        }
        return made

    def _grown(self, held: tuple[Numbers, Numbers] | None, part: int, new: Numbers, end: int) -> Numbers:
        room = -(-(end + end // SPARE_SHARE) // _GROWTH) * _GROWTH
        grown = new.new_empty((new.shape[0], room, new.shape[2]))
        if held is not None:
            grown[:, : self.length] = held[part][:, : self.length]
        return grown


@dataclass(frozen=True, slots=True)
class _Unfused:
    """What the fused kernels lack: a bound on logits, and sinks that take a share of the attention."""

    softcap: float | None
    sinks: Numbers | None


class Ahead(Enum):
    """Where tokens that are computed together look at those after them, too: in layers that look back a window only, or in
    all."""

    NOWHERE = "nowhere"
    EVERYWHERE = "everywhere"
    IN_WINDOWS = "in windows"


@dataclass(frozen=True, slots=True)
class PackedRow:
    """A sequence, and how many tokens it has in the row."""

    cache: SequenceCache
    count: int
    ahead: Ahead = Ahead.NOWHERE


@dataclass(frozen=True, slots=True)
class PackedStep:
    """The sequences of one forward pass."""

    rows: Sequence[PackedRow]
    masks: dict[tuple[int, int, int, Ahead], Numbers] = field(default_factory=dict)

    def mask(self, row: PackedRow, window: int, device: torch.device) -> Numbers:
        """Which keys each of the row's tokens may look at, those before it first. The same for many layers."""
        start = row.cache.length
        key = (start, row.count, window, row.ahead)
        if key not in self.masks:
            places = torch.arange(start + row.count, device=device)
            queries = places[start:, None]
            seen = places[None] <= queries
            together = places[None] >= start
            seen = seen | together if window and row.ahead is Ahead.IN_WINDOWS else seen
            seen = seen & (places[None] > queries - window) if window else seen
            self.masks[key] = seen | together if row.ahead is Ahead.EVERYWHERE else seen
        return self.masks[key]

    def finish(self) -> None:
        """Every layer is done: the tokens count."""
        for row in self.rows:
            row.cache.length += row.count


def register() -> None:
    transformers.AttentionInterface.register(NAME, packed_attention)


def packed_attention(
    module: torch.nn.Module,
    query: Numbers,
    key: Numbers,
    value: Numbers,
    _attention_mask: object,
    *,
    packed: PackedStep,
    scaling: float | None = None,
    **traits: Any,
) -> tuple[Numbers, None]:
    """[1, heads, tokens, width] → [1, tokens, heads, width]."""
    layer = int(getattr(module, "layer_idx"))  # noqa: B009 - modules have no type that says so
    heads, width = query.shape[1], value.shape[3]
    out = query.new_empty((1, query.shape[2], heads, width))
    window = int(traits.get("sliding_window") or 0)
    unfused = _Unfused(traits.get("softcap"), traits.get("s_aux"))
    if traits.get("position_bias") is not None:
        raise NotImplementedError("attention with biases of positions")
    at = 0
    for row in packed.rows:
        cache, count = row.cache, row.count
        end = at + count
        keys, values = cache.extend(layer, key[0, :, at:end], value[0, :, at:end])
        if window and count == 1 and cache.length >= window:
            keys, values = keys[:, -window:], values[:, -window:]
        is_fused = unfused.softcap is None and unfused.sinks is None
        is_plain = is_fused and row.ahead is Ahead.NOWHERE
        is_causal = is_plain and count > 1 and not cache.length and not 0 < window < count
        mask = None if count == 1 or is_causal else packed.mask(row, window, query.device)
        queries = query[0, :, at:end]
        if is_fused:
            seen = _attend(queries, keys, values, mask, scaling)
        else:
            seen = _attend_plainly(queries, keys, values, mask, scaling, unfused)
        out[0, at:end] = seen.transpose(0, 1)
        at = end
    return out, None


def _attend(query: Numbers, keys: Numbers, values: Numbers, mask: Numbers | None, scaling: float | None) -> Numbers:
    """[heads, tokens, width]. Without a mask one token looks at everything, and more of them at what stands before each."""
    heads, count, _ = query.shape
    groups = keys.shape[0]
    if count == 1:
        # The queries that share keys are like several tokens.
        together = query.reshape(1, groups, heads // groups, -1)
        seen = functional.scaled_dot_product_attention(together, keys[None], values[None], scale=scaling)
        return seen.reshape(heads, 1, -1)
    return functional.scaled_dot_product_attention(
        query[None],
        keys[None],
        values[None],
        attn_mask=mask,
        is_causal=mask is None,
        scale=scaling,
        enable_gqa=groups != heads,
    )[0]


def _attend_plainly(
    query: Numbers,
    keys: Numbers,
    values: Numbers,
    mask: Numbers | None,
    scaling: float | None,
    unfused: _Unfused,
) -> Numbers:
    heads, count, width = query.shape
    repeated = heads // keys.shape[0]
    keys, values = keys.repeat_interleave(repeated, 0), values.repeat_interleave(repeated, 0)
    weights = query @ keys.transpose(1, 2) * (width**-0.5 if scaling is None else scaling)
    if unfused.softcap is not None:
        weights = torch.tanh(weights / unfused.softcap) * unfused.softcap
    if mask is not None:
        weights = weights.masked_fill(~mask, torch.finfo(weights.dtype).min)
    weights = weights.float()
    if unfused.sinks is not None:
        weights = torch.cat((weights, unfused.sinks.float().reshape(-1, 1, 1).expand(heads, count, 1)), -1)
    shares = torch.softmax(weights, -1)
    return shares[..., : keys.shape[1]].to(values.dtype) @ values
