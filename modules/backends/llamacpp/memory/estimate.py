"""Estimates a model's memory before loading, from the file's header and the load options.

The formulas follow what llama.cpp allocates. Weights are counted once: of a mapped file that the CPU's own arrangement
copies, the system can take the original's pages back.
"""

import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Final

from modules.backends.base import read_options
from modules.backends.llamacpp.gguf_header import GgufHeader, read_gguf
from modules.backends.llamacpp.memory.shape import Layer, ModelShape, shape_of
from modules.backends.llamacpp.options import (
    CACHE_TYPES,
    DEFAULT_CONTEXT,
    DRAFT_ROWS,
    GPU_PROGRAM,
    HOST_STATES,
    SCORING_ROWS,
    LlamaCppOptions,
    can_share_cells,
    embedding_context,
    override_parts,
    sequences_for,
    spec_of_draft,
    usual_ubatch,
    without_devices,
)
from modules.engine.types import LoadSpec

_F32: Final = 4
_F16: Final = 2
# llama.cpp rounds the number of cells up, since its kernels work on blocks of them.
_PADDING: Final = 256
# What the compute graph itself takes beside its tensors.
_GRAPH: Final = 8 * 2**20
_PROGRAM: Final = 10 * 2**20
# A token's text, attributes and place in the vocabulary's hash tables.
_TOKEN: Final = 200
_GPU_LIBRARIES: Final = ("cuda", "hip", "vulkan", "metal", "sycl", "musa", "cann")
_BY_ROWS: Final = ("row", "tensor")
_HOST_BUFFER: Final = "CPU"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes. `cache` holds the requests under way and the finished ones that are kept, `buffers` everything else that is
    needed to compute. `gpus` (one number for each card) and `host` are shares of `total`; `gpu_layers` of `layers` are
    on the cards."""

    weights: int
    cache: int
    buffers: int
    gpus: tuple[int, ...]
    host: int
    layers: int
    gpu_layers: int

    @property
    def gpu(self) -> int:
        return sum(self.gpus)

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.buffers


def estimate(path: Path, spec: LoadSpec, options: LlamaCppOptions, gpus: Sequence[int] = ()) -> Estimate:
    """For the GGUF model at `path`, loaded as `spec` says, with its draft model. `gpus` are the free bytes of each card,
    0 where that is not known; empty without a card. Blocks while the headers are read. Raises LoadFailed."""
    found = estimate_shape(placed_shape(read_gguf(path), options), spec, options, gpus)
    draft = spec_of_draft(spec, options)
    if draft is None:
        return found
    return _with_draft(found, estimate(Path(draft.path), draft, read_options(LlamaCppOptions, draft), gpus))


def placed_shape(header: GgufHeader, options: LlamaCppOptions) -> ModelShape:
    """With what `--override-tensor` keeps in main memory. A pattern that Python does not read keeps nothing."""
    overrides = [override_parts(item) for item in options.override_tensor]
    patterns = [(compiled, buffer) for pattern, buffer in overrides if (compiled := _compiled(pattern)) is not None]

    def is_kept(name: str) -> bool:
        return next((buffer for pattern, buffer in patterns if pattern.search(name)), "") == _HOST_BUFFER

    return shape_of(header, is_kept)


def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except re.error:
        return None


def embedder_bytes(path: Path, spec: LoadSpec) -> int:
    """For an embedding model, which reads whole texts at once and keeps nothing. Raises LoadFailed."""
    shape = shape_of(read_gguf(path))
    tokens = embedding_context(spec.context, shape.trained_context)
    scores = shape.heads * tokens * tokens * _F32
    numbers = tokens * (2 * shape.feed_forward + 8 * shape.embedding) * _F32
    return shape.weights + scores + numbers + _TOKEN * shape.vocabulary + _GRAPH


def can_use_gpu() -> bool:
    """Whether llama.cpp was built for a graphics card: told by its libraries' names, so that it need not be loaded."""
    # Not imported: that would load llama.cpp into the server's process.
    found = importlib.util.find_spec("llama_cpp")
    if found is None or not found.origin:
        return False
    names = [path.name.lower() for path in (Path(found.origin).parent / "lib").glob("*ggml-*")]
    return any(f"ggml-{library}" in name for name in names for library in _GPU_LIBRARIES)


def estimate_shape(shape: ModelShape, spec: LoadSpec, options: LlamaCppOptions, gpus: Sequence[int]) -> Estimate:
    room = _Room(shape, spec, options, gpus)
    gpu_weights, host_weights = room.weights()
    gpu_cache, host_cache = room.caches()
    gpu_buffers, host_buffers = room.buffers()
    return Estimate(
        weights=gpu_weights + host_weights,
        cache=gpu_cache + host_cache,
        buffers=sum(gpu_buffers) + host_buffers,
        gpus=tuple(map(sum, zip(room.weights_by_card(), room.caches_by_card(), gpu_buffers, strict=True))),
        host=host_weights + host_cache + host_buffers,
        layers=len(shape.layers),
        gpu_layers=min(room.gpu_layers, len(shape.layers)),
    )


def _with_draft(main: Estimate, draft: Estimate) -> Estimate:
    return replace(
        main,
        weights=main.weights + draft.weights,
        cache=main.cache + draft.cache,
        buffers=main.buffers + draft.buffers,
        gpus=tuple(map(sum, zip(main.gpus, draft.gpus, strict=True))),
        host=main.host + draft.host,
    )


class _Room:
    def __init__(self, shape: ModelShape, spec: LoadSpec, options: LlamaCppOptions, gpus: Sequence[int]) -> None:
        self._shape = shape
        self._options = options
        self._drafts = spec.speculates
        self._uses_gpu = bool(gpus) and options.gpu_layers != 0 and not without_devices(options)
        self._shares = _shares(gpus, options)
        context = spec.context or shape.trained_context or DEFAULT_CONTEXT
        self._cells = _padded(max(context, options.kv_cells))
        can_share = can_share_cells(
            has_states=shape.has_states, has_window=bool(shape.window), is_full=options.swa_full
        )
        self._sequences = sequences_for(spec.parallel, can_share=can_share)
        usual = usual_ubatch(uses_gpu=self._uses_gpu)
        self._ubatch = min(options.ubatch_size or usual, max(options.batch_size, self._outputs))

    @property
    def _outputs(self) -> int:
        return self._sequences + SCORING_ROWS + DRAFT_ROWS * self._drafts

    @property
    def gpu_layers(self) -> int:
        """The output counts as one more layer, and it goes first."""
        if not self._uses_gpu:
            return 0
        everything = len(self._shape.layers) + 1
        return everything if self._options.gpu_layers < 0 else min(self._options.gpu_layers, everything)

    def weights(self) -> tuple[int, int]:
        """On the cards and on the host. The input stays on the host; a card gets a copy where it is the output too."""
        shape, gpu = self._shape, sum(self.weights_by_card())
        return gpu, shape.weights + shape.input * (shape.is_tied and gpu > 0) - gpu

    def caches(self) -> tuple[int, int]:
        gpu = sum(self.caches_by_card())
        return gpu, sum(map(self._cache_of, self._shape.layers)) - gpu + self._idle()

    def buffers(self) -> tuple[tuple[int, ...], int]:
        """What each device computes with, and what the program takes besides."""
        compute = self._compute()
        shape = self._shape
        host = _PROGRAM + _TOKEN * shape.vocabulary + self._sequences * shape.vocabulary * _F32
        is_whole = self.gpu_layers > len(shape.layers)
        inputs = 2 * self._ubatch * shape.embedding * _F32
        held = zip(self.weights_by_card(), self.caches_by_card(), strict=True)
        cards = tuple((compute + GPU_PROGRAM) * any(each) for each in held)
        return cards, host + (inputs if is_whole else compute)

    def weights_by_card(self) -> tuple[int, ...]:
        if not self.gpu_layers:
            return (0,) * len(self._shares)
        output = self._shape.output + self._shape.input * self._shape.is_tied
        first = len(self._shape.layers) - len(self._layers_on_gpu)
        on_cpu = len(self._shape.layers) if self._options.cpu_moe else self._options.n_cpu_moe
        layers = enumerate(self._layers_on_gpu, first)
        sizes = [layer.weights - layer.host_weights(experts_on_cpu=index < on_cpu) for index, layer in layers]
        sizes.append(output)
        if self._options.split_mode in _BY_ROWS:
            return _divided(sum(sizes), self._shares)
        return self._by_layer(sizes)

    def caches_by_card(self) -> tuple[int, ...]:
        sizes = [0 if self._options.no_kv_offload else self._cache_of(layer) for layer in self._layers_on_gpu]
        match self._options.split_mode:
            case "tensor":
                return _divided(sum(sizes), self._shares)
            case "row":
                return (sum(sizes), *(0 for _ in self._shares[1:])) if self._shares else ()
            case _:
                return self._by_layer([*sizes, 0])

    def _by_layer(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Whole layers, in order, as many on each card as its share says; the output counts as the last one."""
        cards = [0] * len(self._shares)
        bounds = list(accumulate(self._shares))
        for index, size in enumerate(sizes if cards else ()):
            card = next((at for at, bound in enumerate(bounds) if index / len(sizes) < bound), len(cards) - 1)
            cards[card] += size
        return tuple(cards)

    @property
    def _layers_on_gpu(self) -> tuple[Layer, ...]:
        """The last ones."""
        count = len(self._shape.layers)
        return self._shape.layers[max(0, count - max(0, self.gpu_layers - 1)) :] if self.gpu_layers else ()

    def _cache_of(self, layer: Layer) -> int:
        cells = self._cells
        if layer.is_windowed and not self._options.swa_full:
            cells = min(cells, _padded(self._shape.window * self._sequences + self._ubatch))
        bytes_each = CACHE_TYPES[self._options.cache_type].bytes_each
        return int((layer.keys + layer.values) * bytes_each) * cells + layer.state * self._sequences

    def _idle(self) -> int:
        """Finished sequences that are kept on the host, always as 16-bit numbers."""
        cells = self._cells // 2 if self._options.idle_cells < 0 else self._options.idle_cells
        states = HOST_STATES * sum(layer.state for layer in self._shape.layers) if cells else 0
        return cells * _F16 * sum(layer.keys + layer.values for layer in self._shape.layers) + states

    def _compute(self) -> int:
        """The widest moment of one batch: attention, feed-forward or the output."""
        shape, ubatch = self._shape, self._ubatch
        caches = 1 + any(layer.is_windowed for layer in shape.layers)
        masks = ubatch * self._cells * caches * (_F32 + _F16 * self._has_flash)
        scores = 0 if self._has_flash else shape.heads * self._cells * ubatch * _F32
        attention = masks + scores + 6 * ubatch * shape.embedding * _F32 + _GRAPH
        feed_forward = ubatch * (2 * shape.feed_forward + 4 * shape.embedding) * _F32
        output = min(self._outputs, ubatch) * shape.vocabulary * _F32 + 2 * ubatch * shape.embedding * _F32
        return max(attention, feed_forward, output)

    @property
    def _has_flash(self) -> bool:
        return self._options.flash_attn != "off"


def _padded(cells: int) -> int:
    return -(-cells // _PADDING) * _PADDING


def _shares(gpus: Sequence[int], options: LlamaCppOptions) -> tuple[float, ...]:
    """What part of the model each card gets: as --tensor-split says, else by what is free on it."""
    if options.split_mode == "none":
        return tuple(float(index == min(options.main_gpu, len(gpus) - 1)) for index in range(len(gpus)))
    wanted = [*options.tensor_split, *([0.0] * len(gpus))][: len(gpus)]
    sizes = wanted if any(wanted) else [float(free) for free in gpus]
    total = sum(sizes)
    return tuple(size / total if total else 1 / len(gpus) for size in sizes)


def _divided(size: int, shares: Sequence[float]) -> tuple[int, ...]:
    return tuple(round(size * share) for share in shares)
