"""llama.cpp's options, and the figures that its memory is made of.

Importable without llama.cpp: settings, the page and estimates read the same tables as the loader.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


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

DEFAULT_CONTEXT: Final = 8192
# Rows of logits that one batch has for prompts that are scored.
SCORING_ROWS: Final = 64
# Rows for drafted tokens, of all replies together, where there is a draft model.
DRAFT_ROWS: Final = 32
# llama.cpp's own limit, LLAMA_MAX_SEQ.
MAX_SEQUENCES: Final = 256
# Sequences beyond those of running jobs: for finished ones, and where cells cannot be shared.
SPARE_SEQUENCES: Final = 16
FEW_SPARE_SEQUENCES: Final = 2
# The driver's context and the compiled kernels, before anything of the model is on the GPU.
GPU_PROGRAM: Final = 320 * 2**20
UBATCH_WITH_GPU: Final = 512
UBATCH_WITHOUT: Final = 128


def cache_type(name: str) -> CacheType | None:
    """By any of its spellings."""
    name = name.lower()
    return CACHE_TYPES.get(CACHE_TYPE_SYNONYMS.get(name, name))


def embedding_context(asked: int, trained: int) -> int:
    """The longest text that an embedding model takes: what it was trained for, within what memory is asked for."""
    bound = asked or DEFAULT_CONTEXT
    return min(trained, bound) if trained else bound
