"""How much memory an EXL3 folder will take, out of the headers of its files."""

from typing import Final

from modules.backends.base import MemoryEstimate
from modules.backends.exllamav3.options import ExLlamaV3Options, in_pages
from modules.backends.hub.cache_size import context_of, token_numbers
from modules.backends.hub_folder import ModelFolder
from modules.engine.types import LoadSpec

# PyTorch with CUDA's libraries, and the interpreter. Not measured: no card was at hand.
_PROGRAM: Final = 2**30
_VOCABULARY_BYTES: Final = 1024
# The driver's context and what the library leaves free on each card.
_GPU_PROGRAM: Final = 450 * 2**20 + 2**29
# The embedding of tokens stays in main memory.
_EMBEDDING: Final = "embed_tokens.weight"
_BITS: Final = 8
_HALF: Final = 2
# Rows of hidden states of a chunk, and of what they are widened to.
_WIDTHS: Final = 8


def estimate(folder: ModelFolder, spec: LoadSpec, options: ExLlamaV3Options, gpus: tuple[int, ...]) -> MemoryEstimate:
    """Raises LoadFailed."""
    tensors = folder.tensors()
    embedding = sum(tensor.bytes for name, tensor in tensors.items() if name.endswith(_EMBEDDING))
    weights = sum(tensor.bytes for tensor in tensors.values())
    cache = cache_bytes(folder, spec, options)
    hidden, vocabulary = folder.number("hidden_size"), folder.number("vocab_size")
    rows = options.chunk * (_WIDTHS * hidden + folder.number("intermediate_size")) * _HALF
    buffers = rows + spec.parallel * vocabulary * 2 * _HALF
    program = _PROGRAM + vocabulary * _VOCABULARY_BYTES + int(options.host_cache_size * 2**30)
    parts = (("weights", weights), ("cache", cache), ("buffers", buffers), ("program", program))
    if not gpus:
        return MemoryEstimate(host=weights + cache + buffers + program, parts=parts)
    return MemoryEstimate(
        host=embedding + program,
        gpus=_shares(weights - embedding + cache + buffers, gpus, even=options.enable_tp),
        parts=parts,
        placement="all layers",
    )


def cache_bytes(folder: ModelFolder, spec: LoadSpec, options: ExLlamaV3Options) -> int:
    """Of the pages of all requests, and of the cache in which prompts are scored."""
    context = context_of(folder, spec)
    tokens = in_pages(max(context, options.page_cache_tokens) + 1)
    tokens += in_pages(min(context, options.scored_tokens))
    keys, values = options.bits
    return tokens * token_numbers(folder) * (keys + values) // (2 * _BITS)


def _shares(total: int, gpus: tuple[int, ...], *, even: bool) -> tuple[int, ...]:
    """One card after the other, as layers are dealt out, or a part of each layer on every card."""
    if even:
        return tuple(total // len(gpus) + _GPU_PROGRAM for _ in gpus)
    shares = []
    for free in gpus:
        share = min(total, max(0, free - _GPU_PROGRAM))
        shares.append(share + _GPU_PROGRAM if share else 0)
        total -= share
    shares[0] += total
    return tuple(shares)
