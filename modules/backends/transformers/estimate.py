"""How much memory a model folder will take, out of the headers of its files."""

from typing import Final

from modules.backends.base import MemoryEstimate
from modules.backends.hub_folder import ModelFolder, Tensor
from modules.backends.transformers.options import AUTO, DEFAULT_CONTEXT, DTYPES, TransformersOptions
from modules.engine.types import LoadSpec

# Measured: Python with PyTorch and Transformers.
_PROGRAM: Final = 440 * 2**20
# The driver's context and the compiled kernels.
_GPU_PROGRAM: Final = 450 * 2**20
_FLOAT: Final = 4
# Rows of logits and hidden states of a step that reads a prompt.
_ROWS: Final = 256


def estimate(
    folder: ModelFolder, spec: LoadSpec, options: TransformersOptions, gpus: tuple[int, ...]
) -> MemoryEstimate:
    """Raises LoadFailed."""
    uses_gpu = bool(gpus) and not options.cpu
    size = number_size(folder, options, uses_gpu=uses_gpu)
    weights = sum(_loaded(tensor, size, options) for tensor in folder.tensors().values())
    cache = cache_cells(folder, spec, options) * token_bytes(folder, size)
    hidden, vocabulary = folder.number("hidden_size"), folder.number("vocab_size")
    buffers = _ROWS * (8 * hidden + folder.number("intermediate_size")) * size + spec.parallel * vocabulary * _FLOAT
    parts = (("weights", weights), ("cache", cache), ("buffers", buffers), ("program", _PROGRAM))
    if not uses_gpu:
        return MemoryEstimate(host=weights + cache + buffers + _PROGRAM, parts=parts)
    shares = _shares(weights + cache + buffers, gpus)
    return MemoryEstimate(host=_PROGRAM, gpus=shares, parts=parts, placement="all layers")


def number_size(folder: ModelFolder, options: TransformersOptions, *, uses_gpu: bool) -> int:
    """Bytes of a number that is not quantized."""
    if options.dtype != AUTO:
        return DTYPES[options.dtype]
    stated = str(folder.text.get("dtype") or folder.text.get("torch_dtype") or folder.config.get("dtype") or "")
    return DTYPES.get(stated, DTYPES["bfloat16"]) if uses_gpu else DTYPES["float32"]


def context_of(folder: ModelFolder, spec: LoadSpec) -> int:
    """Tokens that one request may use."""
    trained = folder.trained_context
    wanted = spec.context or trained or DEFAULT_CONTEXT
    return min(wanted, trained) if trained and folder.learns_positions else wanted


def cache_cells(folder: ModelFolder, spec: LoadSpec, options: TransformersOptions) -> int:
    return max(context_of(folder, spec), options.cache_tokens)


def token_bytes(folder: ModelFolder, size: int) -> int:
    """What one token takes in the cache."""
    heads = folder.number("num_attention_heads") or folder.number("n_head")
    hidden = folder.number("hidden_size") or folder.number("n_embd")
    layers = folder.number("num_hidden_layers") or folder.number("n_layer")
    width = folder.number("head_dim") or (hidden // heads if heads else 0)
    return 2 * layers * (folder.number("num_key_value_heads") or heads) * width * size


def _loaded(tensor: Tensor, size: int, options: TransformersOptions) -> int:
    """Only matrices are quantized; the scales of 4 bits take an eighth more."""
    if not tensor.is_float:
        return tensor.bytes
    if len(tensor.shape) > 1 and options.load_in_4bit:
        return tensor.count * 9 // 16
    if len(tensor.shape) > 1 and options.load_in_8bit:
        return tensor.count
    return tensor.count * size


def _shares(total: int, gpus: tuple[int, ...]) -> tuple[int, ...]:
    """One card after the other, as layers are dealt out."""
    shares = []
    for free in gpus:
        share = min(total, max(0, free - _GPU_PROGRAM))
        shares.append(share + _GPU_PROGRAM if share else 0)
        total -= share
    shares[0] += total
    return tuple(shares)
