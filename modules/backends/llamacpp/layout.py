"""How much a model's cache holds and how it is used, and the parameters of its context."""

from typing import Any, Final

from llama_cpp import llama_cpp as c

from modules.backends.cores import usable_cores
from modules.backends.llamacpp import library
from modules.backends.llamacpp.embedder import SEQUENCES
from modules.backends.llamacpp.options import (
    CACHE_TYPES,
    DRAFT_ROWS,
    HOST_STATES,
    SCORING_ROWS,
    LlamaCppOptions,
    can_share_cells,
    running_jobs,
    sequences_for,
    usual_ubatch,
    without_devices,
)

_AUTO, _OFF, _ON = -1, 0, 1
# Half as many take an eighth longer for each token, more hardly less (docs/PERFORMANCE.md).
_EFFICIENT_READ: Final = 128


class ContextLayout:
    """`context` tokens for one job, `cells` for all together.

    `outputs` rows of logits per batch: one per running job, `SCORING_ROWS` of a prompt that is scored, `draft_rows`.
    `window` is how many tokens the layers with sliding windows attend to, 0 without such layers; cells that left it may
    be overwritten. `can_share` is False where cells cannot belong to several sequences at any length: recurrent and
    hybrid models, and caches no larger than their windows. `whole_cells` of a picture may have to be computed at once.
    `has_devices` says whether there is anything but the CPU.
    """

    def __init__(
        self,
        model: Any,
        options: LlamaCppOptions,
        *,
        context: int,
        parallel: int,
        has_devices: bool,
        drafts: bool = False,
    ) -> None:
        self._model = model
        self._options = options
        self._has_devices = has_devices
        self.window = int(c.llama_model_n_swa(model))
        self.context = context
        self.cells = max(context, options.kv_cells)
        self.parallel = running_jobs(parallel)
        has_states = bool(c.llama_model_is_recurrent(model) or c.llama_model_is_hybrid(model))
        self.can_share = can_share_cells(has_states=has_states, has_window=bool(self.window), is_full=options.swa_full)
        self.sequences = sequences_for(parallel, can_share=self.can_share)
        # One more, for states on their way to the disk cache and from there, and to other places.
        self.spare_sequences = int((options.cache_disk > 0 or options.cache_reuse > 0) and self.has_pieces)
        self.draft_rows = DRAFT_ROWS if drafts else 0
        self.outputs = self.sequences + SCORING_ROWS + self.draft_rows
        self.whole_cells = 0
        # Of one sequence, and of each further token of it; known once something was computed.
        self.state_bytes = self.token_bytes = 0
        self._has_states = has_states

    @property
    def uses_gpu(self) -> bool:
        return self._has_devices and not without_devices(self._options) and self._options.gpu_layers != 0

    @property
    def keeps_idle(self) -> bool:
        """Without flash attention on a GPU, every cell in use slows every step down, whoever it belongs to."""
        return self.uses_gpu

    @property
    def has_pieces(self) -> bool:
        """Whether the state of a sequence can be taken apart: not where cells may be forgotten."""
        return self.can_share and not self.window

    @property
    def cache_reuse(self) -> int:
        """The fewest tokens whose cells are moved; 0 moves none."""
        return self._options.cache_reuse if self.has_pieces else 0

    @property
    def is_long(self) -> bool:
        """Whether the context is longer than the one that a model with scaled positions was first trained for, which
        then takes other factors."""
        architecture = library.model_metadata(self._model, "general.architecture")
        key = f"{architecture}.rope.scaling.original_context_length"
        stated = library.model_metadata(self._model, key) or ""
        return stated.isdecimal() and self.cells > int(stated)

    @property
    def flash_attention(self) -> int:
        """`auto` leaves it to llama.cpp, which uses it wherever the model and the device allow it."""
        return {"off": _OFF, "on": _ON}.get(self._options.flash_attn, _AUTO)

    @property
    def ubatch(self) -> int:
        return max(self._options.ubatch_size or usual_ubatch(uses_gpu=self.uses_gpu), self.whole_cells)

    @property
    def read_unit(self) -> int:
        """Prompt tokens that are read about as fast in one step as more would be (docs/PERFORMANCE.md)."""
        return self.ubatch if self.uses_gpu else min(self.ubatch, _EFFICIENT_READ)

    @property
    def stoppable(self) -> int:
        """Up to how many prompt tokens are read in a step that is given up when others come; 0 where none can be. A
        graphics card does not stop, and is done sooner; states and windows cannot be cut back to where they were."""
        return self.ubatch if self.has_pieces and not self.uses_gpu else 0

    @property
    def host_cache_bytes(self) -> int:
        """Room for finished sequences outside the cache, about as much as their keys and values take as 16-bit floats, and
        for states of recurrent layers."""
        cells = self.cells // 2 if self._options.idle_cells < 0 else self._options.idle_cells
        width = self._head_size() * c.llama_model_n_head_kv(self._model)
        if self._has_states and cells:
            # Only some of the layers have keys and values, and how many of them differs.
            return cells * self.token_bytes + HOST_STATES * self.state_bytes
        return int(cells * 2 * 2 * c.llama_model_n_layer(self._model) * width)

    def _head_size(self) -> int:
        model = self._model
        architecture = library.model_metadata(model, "general.architecture")
        stated = library.model_metadata(model, f"{architecture}.attention.key_length")
        return int(stated or c.llama_model_n_embd(model) // max(1, c.llama_model_n_head(model)))


def context_params(options: LlamaCppOptions, layout: ContextLayout) -> Any:
    params = c.llama_context_default_params()
    params.n_ctx = layout.cells
    params.n_batch = max(options.batch_size, layout.outputs, layout.whole_cells)
    params.n_ubatch = min(layout.ubatch, params.n_batch)
    params.n_seq_max = layout.sequences + layout.spare_sequences
    params.n_outputs_max = layout.outputs
    params.kv_unified = True
    params.swa_full = options.swa_full
    params.n_threads = options.threads or usable_cores()
    params.n_threads_batch = options.threads_batch or params.n_threads
    params.flash_attn_type = layout.flash_attention
    params.type_k = params.type_v = CACHE_TYPES[options.cache_type].ggml
    params.offload_kqv = not options.no_kv_offload
    params.no_perf = True
    return params


def embedding_params(options: LlamaCppOptions, size: int, pooling: int) -> Any:
    """An encoder looks at a whole text at once, so one batch has to hold the longest."""
    params = c.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = size
    params.n_seq_max = SEQUENCES
    params.kv_unified = True
    params.embeddings = True
    params.pooling_type = pooling
    params.n_threads = options.threads or usable_cores()
    params.n_threads_batch = options.threads_batch or params.n_threads
    params.no_perf = True
    return params
