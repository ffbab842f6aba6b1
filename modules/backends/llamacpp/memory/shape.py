"""What of a model decides how much memory it takes, out of a GGUF header."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from modules.backends.llamacpp.gguf_header import GgufHeader, Items
from modules.backends.llamacpp.options import EXPERTS

_LAYER: Final = re.compile(r"blk\.(\d+)\.")
_EXPERT: Final = re.compile(EXPERTS)
_INPUT: Final = "token_embd."
_OUTPUT: Final = "output.weight"
# Of so many layers in a row the last attends to everything, the others to a window: where llama.cpp knows it by heart.
_WINDOW_PERIODS: Final = MappingProxyType(
    {"gemma2": 2, "gemma3": 6, "gemma3n": 5, "cohere2": 4, "gpt-oss": 2, "llama4": 4, "exaone4": 4}
)
_F32: Final = 4


@dataclass(frozen=True, slots=True)
class Layer:
    """`weights` in bytes; a token takes `keys` and `values` numbers in the cache, and a sequence `state` bytes
    whatever its length. `is_windowed` layers attend to the last tokens only. Of the weights, `experts` are those of a
    mixture of experts, and `kept` further ones that are to stay in main memory; `keeps_experts` says so of the experts."""

    weights: int
    keys: int
    values: int
    state: int
    is_windowed: bool
    experts: int = 0
    kept: int = 0
    keeps_experts: bool = False

    def host_weights(self, *, experts_on_cpu: bool) -> int:
        """What stays in main memory of a layer that is on a card."""
        return self.kept + self.experts * (self.keeps_experts or experts_on_cpu)


@dataclass(frozen=True, slots=True)
class ModelShape:
    """`input` and `output` are bytes of the weights before and after the layers. A model without an output of its own
    uses its input for it (`is_tied`). `window` is in tokens, 0 without one."""

    layers: tuple[Layer, ...]
    input: int
    output: int
    is_tied: bool
    vocabulary: int
    embedding: int
    heads: int
    feed_forward: int
    window: int
    trained_context: int

    @property
    def weights(self) -> int:
        return self.input + self.output + sum(layer.weights for layer in self.layers)

    @property
    def has_experts(self) -> bool:
        return any(layer.experts for layer in self.layers)

    @property
    def has_states(self) -> bool:
        """Recurrent and hybrid models: their sequences cannot share cells."""
        return any(layer.state for layer in self.layers)


def shape_of(header: GgufHeader, is_kept: Callable[[str], bool] = lambda name: False) -> ModelShape:
    """`is_kept` says of a tensor's name whether the tensor stays in main memory whatever is on the cards."""
    count = header.number("block_count")
    weights = _by_layer(header, count, lambda name: True)
    experts = _by_layer(header, count, _is_expert)
    kept = _by_layer(header, count, lambda name: is_kept(name) and not _is_expert(name))
    kept_experts = _by_layer(header, count, lambda name: is_kept(name) and _is_expert(name))
    windowed = tuple(_windowed(header, count))
    layers = tuple(
        Layer(
            weights[index],
            keys,
            values,
            state,
            windowed[index],
            experts=experts[index],
            kept=kept[index],
            keeps_experts=kept_experts[index] > 0,
        )
        for index, (keys, values, state) in enumerate(_cells(header, count, windowed))
    )
    total = sum(header.tensors.values())
    entrance = sum(size for name, size in header.tensors.items() if name.startswith(_INPUT))
    return ModelShape(
        layers=layers,
        input=entrance,
        output=total - entrance - sum(weights),
        is_tied=_OUTPUT not in header.tensors,
        vocabulary=_vocabulary(header),
        embedding=header.number("embedding_length"),
        heads=header.number("attention.head_count"),
        feed_forward=header.number("feed_forward_length"),
        window=header.number("attention.sliding_window") if any(windowed) else 0,
        trained_context=header.number("context_length"),
    )


def _by_layer(header: GgufHeader, count: int, counts: Callable[[str], bool]) -> list[int]:
    """Bytes of those tensors of each layer whose names count."""
    weights = [0] * count
    for name, size in header.tensors.items():
        match = _LAYER.match(name)
        if match and int(match[1]) < count and counts(name):
            weights[int(match[1])] += size
    return weights


def _is_expert(name: str) -> bool:
    return _EXPERT.search(name) is not None


def _vocabulary(header: GgufHeader) -> int:
    match header.metadata.get("tokenizer.ggml.tokens"):
        case Items(count):
            return count
        case _:
            return header.number("vocab_size")


def _windowed(header: GgufHeader, count: int) -> Iterator[bool]:
    stated = header.numbers("attention.sliding_window_pattern")
    if len(stated) >= count > 1:
        yield from (bool(each) for each in stated[:count])
        return
    period = stated[0] if stated else _WINDOW_PERIODS.get(header.architecture, 0)
    has_window = bool(header.number("attention.sliding_window")) and period > 0
    yield from (has_window and index % period < period - 1 for index in range(count))


def _cells(header: GgufHeader, count: int, windowed: tuple[bool, ...]) -> Iterator[tuple[int, int, int]]:
    """Keys, values and bytes of state, layer by layer."""
    heads = _per_layer(header.numbers("attention.head_count_kv") or header.numbers("attention.head_count"), count)
    interval = header.number("full_attention_interval")
    owners = count - header.number("attention.shared_kv_layers")
    state = _state_bytes(header)
    for index in range(count):
        is_recurrent = bool(state) and (not heads[index] or bool(interval and (index + 1) % interval))
        has_cells = not is_recurrent and index < owners
        keys, values = _widths(header, is_windowed=windowed[index])
        width = heads[index] * has_cells
        yield width * keys, width * values, state * is_recurrent


def _widths(header: GgufHeader, *, is_windowed: bool) -> tuple[int, int]:
    default = header.number("embedding_length") // max(1, header.number("attention.head_count"))
    keys = header.number("attention.key_length", default)
    values = header.number("attention.value_length", default)
    if is_windowed:
        keys = header.number("attention.key_length_swa", keys)
        values = header.number("attention.value_length_swa", values)
    return keys, values


def _per_layer(numbers: tuple[int, ...], count: int) -> list[int]:
    """One number holds for all layers."""
    if len(numbers) >= count:
        return list(numbers[:count])
    return [numbers[0] if numbers else 0] * count


def _state_bytes(header: GgufHeader) -> int:
    """Of one sequence in one recurrent layer: the last inputs of the convolution, and the state itself."""
    inner, state = header.number("ssm.inner_size"), header.number("ssm.state_size")
    convolution = max(0, header.number("ssm.conv_kernel") - 1) * (inner + 2 * header.number("ssm.group_count") * state)
    return (convolution + inner * state) * _F32
