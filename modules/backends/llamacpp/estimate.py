"""Estimates a model's memory before loading, from the file's header and the load options.

The formulas follow what llama.cpp allocates. Weights are counted once: of a mapped file that the CPU's own arrangement
copies, the system can take the original's pages back.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from modules.backends.llamacpp.gguf_header import read_gguf
from modules.backends.llamacpp.options import (
    CACHE_TYPES,
    DEFAULT_CONTEXT,
    DRAFT_ROWS,
    FEW_SPARE_SEQUENCES,
    GPU_PROGRAM,
    MAX_SEQUENCES,
    SCORING_ROWS,
    SPARE_SEQUENCES,
    UBATCH_WITH_GPU,
    UBATCH_WITHOUT,
    cache_type,
    embedding_context,
)
from modules.backends.llamacpp.shape import Layer, ModelShape, shape_of
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


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes. `cache` holds the requests under way and the finished ones that are kept, `buffers` everything else that is
    needed to compute. `gpu` and `host` are shares of `total`; `gpu_layers` of `layers` are on the GPU."""

    weights: int
    cache: int
    buffers: int
    gpu: int
    host: int
    layers: int
    gpu_layers: int
    context: int

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.buffers


def estimate(path: Path, spec: LoadSpec, *, has_gpu: bool) -> Estimate:
    """For the GGUF model at `path`, loaded as `spec` says, with its draft model. Blocks while the headers are read.
    Raises LoadFailed."""
    found = estimate_shape(shape_of(read_gguf(path)), spec, has_gpu=has_gpu)
    draft = spec.of_draft
    return found if draft is None else _with_draft(found, estimate(Path(draft.path), draft, has_gpu=has_gpu))


def embedder_bytes(path: Path, spec: LoadSpec) -> int:
    """For an embedding model, which reads whole texts at once and keeps nothing. Raises LoadFailed."""
    shape = shape_of(read_gguf(path))
    tokens = embedding_context(spec.context, shape.trained_context)
    scores = shape.heads * tokens * tokens * _F32
    numbers = tokens * (2 * shape.feed_forward + 8 * shape.embedding) * _F32
    return shape.weights + scores + numbers + _TOKEN * shape.vocabulary + _GRAPH


def estimate_shape(shape: ModelShape, spec: LoadSpec, *, has_gpu: bool) -> Estimate:
    room = _Room(shape, spec, has_gpu)
    on_gpu = room.gpu_layers
    gpu_weights, host_weights = room.weights()
    gpu_cache, host_cache = room.caches()
    gpu_buffers, host_buffers = room.buffers()
    return Estimate(
        weights=gpu_weights + host_weights,
        cache=gpu_cache + host_cache,
        buffers=gpu_buffers + host_buffers,
        gpu=gpu_weights + gpu_cache + gpu_buffers,
        host=host_weights + host_cache + host_buffers,
        layers=len(shape.layers),
        gpu_layers=min(on_gpu, len(shape.layers)),
        context=room.context,
    )


def _with_draft(main: Estimate, draft: Estimate) -> Estimate:
    return replace(
        main,
        weights=main.weights + draft.weights,
        cache=main.cache + draft.cache,
        buffers=main.buffers + draft.buffers,
        gpu=main.gpu + draft.gpu,
        host=main.host + draft.host,
    )


class _Room:
    def __init__(self, shape: ModelShape, spec: LoadSpec, has_gpu: bool) -> None:
        self._shape = shape
        self._spec = spec
        self._uses_gpu = has_gpu and spec.gpu_layers != 0
        self.context = spec.context or shape.trained_context or DEFAULT_CONTEXT
        self._cells = _padded(max(self.context, spec.kv_cells))
        parallel = min(spec.parallel, MAX_SEQUENCES - SPARE_SEQUENCES)
        can_share = not shape.has_states and (spec.swa_full or not shape.window)
        self._sequences = parallel + (SPARE_SEQUENCES if can_share else FEW_SPARE_SEQUENCES)
        usual = UBATCH_WITH_GPU if self._uses_gpu else UBATCH_WITHOUT
        self._ubatch = min(spec.ubatch_size or usual, max(spec.batch_size, self._outputs))

    @property
    def _outputs(self) -> int:
        return self._sequences + SCORING_ROWS + DRAFT_ROWS * self._spec.speculates

    @property
    def gpu_layers(self) -> int:
        """The output counts as one more layer, and it goes first."""
        if not self._uses_gpu:
            return 0
        everything = len(self._shape.layers) + 1
        return everything if self._spec.gpu_layers < 0 else min(self._spec.gpu_layers, everything)

    def weights(self) -> tuple[int, int]:
        """On the GPU and on the host. The input stays on the host; the GPU gets a copy where it is the output too."""
        shape, gpu = self._shape, 0
        if self.gpu_layers:
            gpu = shape.output + shape.input * shape.is_tied
            gpu += sum(layer.weights for layer in self._layers_on_gpu)
        return gpu, shape.weights + shape.input * (shape.is_tied and gpu > 0) - gpu

    def caches(self) -> tuple[int, int]:
        gpu = 0 if self._spec.no_kv_offload else sum(map(self._cache_of, self._layers_on_gpu))
        return gpu, sum(map(self._cache_of, self._shape.layers)) - gpu + self._idle()

    def buffers(self) -> tuple[int, int]:
        """What each of the two computes with, and what the program takes besides."""
        compute = self._compute()
        shape = self._shape
        host = _PROGRAM + _TOKEN * shape.vocabulary + self._sequences * shape.vocabulary * _F32
        is_whole = self.gpu_layers > len(shape.layers)
        inputs = 2 * self._ubatch * shape.embedding * _F32
        return (compute + GPU_PROGRAM) * bool(self.gpu_layers), host + (inputs if is_whole else compute)

    @property
    def _layers_on_gpu(self) -> tuple[Layer, ...]:
        """The last ones."""
        count = len(self._shape.layers)
        return self._shape.layers[max(0, count - max(0, self.gpu_layers - 1)) :] if self.gpu_layers else ()

    def _cache_of(self, layer: Layer) -> int:
        cells = self._cells
        if layer.is_windowed and not self._spec.swa_full:
            cells = min(cells, _padded(self._shape.window * self._sequences + self._ubatch))
        chosen = cache_type(self._spec.cache_type) or CACHE_TYPES["fp16"]
        return int((layer.keys + layer.values) * chosen.bytes_each) * cells + layer.state * self._sequences

    def _idle(self) -> int:
        """Finished sequences that are kept on the host, always as 16-bit numbers."""
        cells = self._cells // 2 if self._spec.idle_cells < 0 else self._spec.idle_cells
        return cells * _F16 * sum(layer.keys + layer.values for layer in self._shape.layers)

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
        return self._spec.flash_attn != "off"


def _padded(cells: int) -> int:
    return -(-cells // _PADDING) * _PADDING
