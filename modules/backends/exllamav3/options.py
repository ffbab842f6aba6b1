"""The options of the ExLlamaV3 backend.

Importable without the library, for settings, the page and estimates.
"""

import re
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator

from modules.settings.option_values import Numbers
from modules.settings.options import SettingsGroup, setting

# Tokens of one page of the cache, the unit in which it is shared and kept.
PAGE: Final = 256
# Bits of one number of a cache that is not quantized.
FULL_BITS: Final = 16
_BITS: Final = re.compile(r"16|[2-8](,[2-8])?")


def _read_bits(value: str) -> str:
    if not _BITS.fullmatch(value):
        raise ValueError("it must be 16, a number from 2 to 8, or two of them with a comma between")
    return value


CacheBits = Annotated[str, AfterValidator(_read_bits)]


class ExLlamaV3Options(SettingsGroup, frozen=True):
    title: ClassVar[str] = "ExLlamaV3"

    page_cache_tokens: int = setting(
        0,
        "Size of the KV cache of an ExLlamaV3 model in tokens, for all requests and for prefixes that are kept; 0 means "
        "as many as --ctx-size. Rounded up to whole pages of 256.",
        ge=0,
        le=2**28,
        label="KV cache size (tokens)",
    )
    cache_bits: CacheBits = setting(
        "16",
        "Bits of the numbers in the KV cache of an ExLlamaV3 model: 16, or 2 to 8 for keys and values, as one number or as "
        "two (8,4).",
        allowed="16, a number from 2 to 8, or two of them with a comma between",
        label="KV cache bits",
        is_main=True,
    )
    gpu_split: Numbers = setting(
        (),
        "Gigabytes that an ExLlamaV3 model may take of each graphics card: 20,24. Empty fills one card after the other.",
        label="Memory of each card (GB)",
    )
    enable_tp: bool = setting(
        False,
        "Compute each layer of an ExLlamaV3 model on all graphics cards together (tensor parallelism), instead of different "
        "layers on each.",
        label="Tensor parallelism",
    )
    tp_backend: Literal["native", "nccl"] = setting(
        "native", "What moves data between cards with --enable-tp.", label="Tensor parallel backend"
    )
    chunk_tokens: int = setting(
        2048,
        "Prompt tokens that an ExLlamaV3 model reads at once, in whole pages of 256.",
        ge=PAGE,
        le=2**16,
        label="Prompt tokens at once",
    )
    scored_tokens: int = setting(
        2048,
        "Longest prompt, in tokens, whose log probabilities an ExLlamaV3 model computes: a cache of that size stands beside "
        "the other. 0 switches it off.",
        ge=0,
        le=2**20,
        label="Longest scored prompt (tokens)",
    )
    host_cache_size: float = setting(
        0,
        "Gigabytes of main memory for pages that leave the KV cache of an ExLlamaV3 model.",
        ge=0,
        le=4096,
        label="Prefix cache in main memory (GB)",
    )
    mtp: bool = setting(
        False,
        "Have an ExLlamaV3 model propose tokens with its own layers for it (multi-token prediction), where it has some.",
        label="Multi-token prediction",
    )
    vision: bool = setting(
        True, "Load the part of an ExLlamaV3 model that reads pictures, where it has one.", label="Read pictures"
    )
    warmup: bool = setting(
        True,
        "Compile and tune the kernels of an ExLlamaV3 model while it loads, instead of at the first requests.",
        label="Warm up",
    )

    @property
    def bits(self) -> tuple[int, int]:
        """Of keys and of values."""
        keys, _, values = self.cache_bits.partition(",")
        return int(keys), int(values or keys)

    @property
    def chunk(self) -> int:
        return in_pages(self.chunk_tokens)


def in_pages(tokens: int) -> int:
    """`tokens`, rounded up to whole pages."""
    return -(-tokens // PAGE) * PAGE
