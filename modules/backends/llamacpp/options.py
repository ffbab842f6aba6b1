"""The options of llama.cpp, and figures that its memory is made of.

Importable without the library, for settings, the page and estimates.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final, Literal

from modules.engine.types import MAX_DRAFT, LoadSpec, OptionValue
from modules.settings.option_values import Numbers, Words
from modules.settings.options import SettingsGroup, setting


@dataclass(frozen=True, slots=True)
class CacheType:
    """A number format of the KV cache: ggml's number for it, and how many numbers share a block of `block_bytes`."""

    ggml: int
    block: int
    block_bytes: int

    @property
    def bytes_each(self) -> float:
        return self.block_bytes / self.block

    @property
    def is_quantized(self) -> bool:
        return self.block > 1


# ggml.h and ggml-common.h
CACHE_TYPES: Final = MappingProxyType(
    {
        "fp16": CacheType(1, 1, 2),
        "q8_0": CacheType(8, 32, 34),
        "q5_1": CacheType(7, 32, 24),
        "q5_0": CacheType(6, 32, 22),
        "q4_1": CacheType(3, 32, 20),
        "q4_0": CacheType(2, 32, 18),
        "iq4_nl": CacheType(20, 32, 18),
        "bf16": CacheType(30, 1, 2),
        "fp32": CacheType(0, 1, 4),
    }
)
# llama.cpp's spellings, and the short ones of text-generation-webui.
CACHE_TYPE_SYNONYMS: Final = MappingProxyType({"f32": "fp32", "f16": "fp16", "q8": "q8_0", "q5": "q5_0", "q4": "q4_0"})
SPLIT_MODES: Final = MappingProxyType({"layer": 1, "row": 2, "tensor": 3, "none": 0})

# Names of the tensors that hold experts (llama.cpp, common/common.h).
EXPERTS: Final = r"\.ffn_(up|down|gate|gate_up)_(ch|)exps"
# In --device: no graphics card at all.
NO_DEVICE: Final = "none"

PROJECTOR_OFF: Final = "off"
# Before the path of one that was found by itself.
PROJECTOR_FOUND: Final = "found:"
DEFAULT_CONTEXT: Final = 8192
# Rows of logits that one batch has for prompts that are scored.
SCORING_ROWS: Final = 64
# Rows for drafted tokens, of all replies together, where there is a draft model.
DRAFT_ROWS: Final = MAX_DRAFT
# llama.cpp's own limit, LLAMA_MAX_SEQ.
MAX_SEQUENCES: Final = 256
# Sequences beyond those of running jobs: for finished ones, and where cells cannot be shared.
SPARE_SEQUENCES: Final = 16
FEW_SPARE_SEQUENCES: Final = 2
# States of recurrent layers that are kept outside the cache: two for each of the latest conversations.
HOST_STATES: Final = 8
# The driver's context and the compiled kernels, before anything of the model is on the GPU.
GPU_PROGRAM: Final = 320 * 2**20
UBATCH_WITH_GPU: Final = 512
UBATCH_WITHOUT: Final = 128


def vector_parts(item: str) -> tuple[str, float]:
    """File and scale in an item of --control-vector. Raises ValueError."""
    name, equals, scale = item.rpartition("=")
    return (name, float(scale)) if equals else (item, 1.0)


def without_devices(options: "LlamaCppOptions") -> bool:
    return any(name.lower() == NO_DEVICE for name in options.device)


def override_parts(item: str) -> tuple[str, str]:
    """Regular expression and name of the buffer in an item of --override-tensor, each empty where it is missing."""
    pattern, _, buffer = item.rpartition("=")
    return pattern.strip(), buffer.strip()


def sequences_for(parallel: int, *, can_share: bool) -> int:
    """Sequences of the cache for so many jobs at a time."""
    return running_jobs(parallel) + (SPARE_SEQUENCES if can_share else FEW_SPARE_SEQUENCES)


def running_jobs(parallel: int) -> int:
    return min(parallel, MAX_SEQUENCES - SPARE_SEQUENCES)


def can_share_cells(*, has_states: bool, has_window: bool, is_full: bool) -> bool:
    """Whether cells can belong to several sequences at any length: not those of recurrent and hybrid models, nor of
    caches no larger than the model's windows."""
    return not has_states and (is_full or not has_window)


def usual_ubatch(*, uses_gpu: bool) -> int:
    """On CPUs larger batches are no faster, and cost memory."""
    return UBATCH_WITH_GPU if uses_gpu else UBATCH_WITHOUT


def embedding_context(asked: int, trained: int) -> int:
    """The longest text that an embedding model takes: what it was trained for, within what memory is asked for."""
    bound = asked or DEFAULT_CONTEXT
    return min(trained, bound) if trained else bound


class LlamaCppOptions(SettingsGroup, frozen=True):
    title: ClassVar[str] = "llama.cpp"

    gpu_layers: int = setting(
        -1,
        "Layers to offload to the GPU; -1 offloads as many as fit.",
        ge=-1,
        le=10_000,
        aliases=("n_gpu_layers",),
        label="GPU layers (offload)",
        is_main=True,
    )
    mmproj: str = setting(
        "",
        "Projector with which the model reads pictures or sounds: a file beside the model or in the folder mmproj of the "
        "user data. Without it the one that fits is found there by itself; off loads the model without.",
        label="Projector (mmproj)",
        synonyms={"none": PROJECTOR_OFF},
    )
    cache_type: str = setting(
        "fp16",
        "KV cache type: q8_0 takes about half as much memory as fp16, q4_0 about a quarter.",
        choices=tuple(CACHE_TYPES),
        synonyms=CACHE_TYPE_SYNONYMS,
        label="KV cache type",
        is_main=True,
    )
    kv_cells: int = setting(
        0,
        "Size of the KV cache in tokens, shared by all requests; 0 means as many as --ctx-size.",
        ge=0,
        le=2**28,
        label="KV cache size (tokens)",
    )
    idle_cells: int = setting(
        -1,
        "Tokens of finished requests that are kept beside the KV cache, for requests that go on from them; "
        "-1 means half as many as --kv-cells.",
        ge=-1,
        le=2**28,
        label="Prefix cache in main memory (tokens)",
    )
    cache_disk: float = setting(
        0.0,
        "GiB of disk for what the model has read and said, in encrypted files of the folder cache/prefixes of the user "
        "data, so that conversations go on without being read again after a restart or a change of models; 0 keeps "
        "nothing.",
        ge=0,
        le=2**16,
        label="Prefix cache on disk (GiB)",
        is_main=True,
        # It keeps what people write.
        operator_on=True,
    )
    cache_reuse: int = setting(
        0,
        "Where an early part of a prompt was edited, what stands behind it is not read again: its cells are moved, in runs of "
        "at least this many tokens. They were computed behind other words, so replies may differ from those to a prompt that "
        "was read, greedy ones as well; receipts count such tokens as moved. 0 reads everything again.",
        ge=0,
        le=2**20,
        label="Reuse behind an edit (tokens)",
    )
    threads: int = setting(
        0,
        "Threads for generation; 0 takes one per physical core that the program may use, or fewer where the self-test finds "
        "that faster.",
        ge=0,
        le=1024,
    )
    threads_batch: int = setting(
        0,
        "Threads for prompt processing; 0 takes as many as --threads, or more where the self-test finds that faster.",
        ge=0,
        le=1024,
        label="Batch threads",
    )
    batch_size: int = setting(2048, "Logical batch size in tokens.", ge=1, le=65536)
    ubatch_size: int = setting(
        0,
        "Physical batch size in tokens; 0 takes 512 with a GPU, 128 without, or what the self-test finds faster.",
        ge=0,
        le=65536,
        label="Physical batch size",
    )
    flash_attn: Literal["auto", "on", "off"] = setting(
        "auto",
        "Flash attention; auto uses it wherever the model and the hardware allow it, unless the self-test finds it slower. "
        "Without a GPU, off is the mode whose lone greedy replies are bit for bit llama-cpp-python's: it computes a prompt "
        "the same however it is cut into batches.",
        label="Flash attention",
    )
    self_test: bool = setting(
        True,
        "Measure once for each model and machine, at the first load and for about a second, what is left on automatic: "
        "flash attention, --ubatch-size, --threads and --threads-batch.",
        label="Self-test",
    )
    split_mode: Literal["layer", "row", "tensor", "none"] = setting(
        "layer", "How the model is split across several GPUs."
    )
    tensor_split: Numbers = setting((), "Share of the model for each GPU, as proportions: 3,1.")
    main_gpu: int = setting(
        0,
        "GPU that holds the whole model with --split-mode none, and the intermediate results with row.",
        ge=0,
        le=64,
        label="Main GPU",
    )
    device: Words = setting(
        (), "Devices to use, by llama.cpp's names: CUDA0,CUDA1. none uses no GPU; empty uses all.", label="Devices"
    )
    n_cpu_moe: int = setting(
        -1,
        "Layers, from the first on, whose experts are computed on the CPU; -1 takes as many as do not fit on the GPU.",
        ge=-1,
        le=10_000,
        label="CPU expert layers",
    )
    cpu_moe: bool = setting(False, "Compute the experts of all layers on the CPU.", label="All experts on CPU")
    override_tensor: Words = setting(
        (),
        "Buffer for the tensors whose names match a regular expression: blk.1[0-9].ffn_.*=CPU. The first match counts.",
        label="Tensor buffers",
    )
    control_vector: Words = setting(
        (),
        "GGUF files in the folder of the adapters that steer the model, as FILE or FILE=SCALE; several add up.",
        label="Control vectors",
    )
    control_vector_layers: Numbers = setting(
        (), "First and last layer that control vectors apply to: 10,20.", label="Layers of control vectors"
    )
    rpc: Words = setting(
        (),
        "Workers on other machines, as host:port, that take a share of the model. They see its weights and what is "
        "computed, unencrypted.",
        label="RPC workers",
        # A request could have this server connect to any address.
        operator_only=True,
    )
    fit: bool = setting(
        True, "Choose what is left on automatic so that the model fits into the free memory.", label="Fit to memory"
    )
    fit_target: int = setting(
        512, "Memory in MiB that is left free on each GPU.", ge=0, le=2**20, label="Free memory on each GPU (MiB)"
    )
    swa_full: bool = setting(
        True,
        "Full-size KV cache for sliding-window attention, so that prompts can be reused.",
        label="Full-size SWA cache",
    )
    no_kv_offload: bool = setting(
        False,
        "Keep the KV cache in main memory although layers are on the GPU.",
        label="No KV offload",
    )
    no_mmap: bool = setting(
        False,
        "Load the model into memory instead of memory-mapping its file.",
        label="No mmap",
    )
    mlock: bool = setting(False, "Lock the model in memory, so that it is not swapped out.", label="mlock")
    numa: bool = setting(False, "Distribute memory over the NUMA nodes of the machine.", label="NUMA")
    gpu_layers_draft: int = setting(
        -1,
        "Layers of the draft model to offload to the GPU; -1 offloads as many as fit.",
        ge=-1,
        le=10_000,
        aliases=("n_gpu_layers_draft",),
        label="Draft GPU layers",
    )

    @property
    def projector(self) -> Path | None:
        """Once the spec is complete: before, a name may stand here, or nothing where one is to be found."""
        path = self.mmproj.removeprefix(PROJECTOR_FOUND)
        return None if path in {"", PROJECTOR_OFF} else Path(path)

    @property
    def has_found_projector(self) -> bool:
        """Whether nobody asked for it: the model is loaded without where it does not work."""
        return self.mmproj.startswith(PROJECTOR_FOUND)


def spec_of_draft(spec: LoadSpec, options: LlamaCppOptions) -> LoadSpec | None:
    """How the draft model is loaded beside the one of `spec`, if there is one."""
    if spec.draft is None:
        return None
    own: dict[str, OptionValue] = {
        "kv_cells": 0,
        "idle_cells": 0,
        "cache_type": "fp16",
        "swa_full": True,
        "mmproj": "",
        "cache_disk": 0.0,
        "cache_reuse": 0,
    }
    return replace(
        spec,
        name=spec.draft.name,
        path=spec.draft.path,
        context=spec.draft.context or max(spec.context, options.kv_cells),
        options={**spec.options, **own, "gpu_layers": options.gpu_layers_draft},
        adapters=(),
        draft=None,
        ngram_tokens=0,
    )
