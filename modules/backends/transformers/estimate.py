"""How much memory a model folder will take, out of the headers of its files."""

from collections.abc import Mapping
from typing import Any, Final

from modules.backends.base import MemoryEstimate
from modules.backends.hub.cache_size import context_of, token_numbers
from modules.backends.hub_folder import ModelFolder, Tensor, optional_json
from modules.backends.transformers.options import AUTO, DTYPES, SPARE_SHARE, TransformersOptions
from modules.engine.types import LoadSpec
from modules.media.pictures.limits import MOST_PIXELS

# Measured: PyTorch and Transformers, without the interpreter.
_PROGRAM: Final = 352 * 2**20
# Measured: what the tokenizer takes for each token.
_VOCABULARY_BYTES: Final = 1024
# The driver's context and the compiled kernels.
GPU_PROGRAM: Final = 450 * 2**20
# What the driver takes of main memory.
_GPU_HOST: Final = 88 * 2**20
_FLOAT: Final = 4
_UNPACKED: Final = frozenset(("fp8", "mxfp8"))
_EIGHT_BITS: Final[frozenset[str]] = frozenset(("F8_E4M3", "F8_E5M2"))
# Of a part that sees, where nothing is stated: numbers of a patch, and pixels of its side.
_PICTURE_WIDTH: Final = 1152
_PATCH_SIDE: Final = 14
# Where processors say that a picture is cut into parts, which are seen beside the whole.
_CUTS: Final = ("do_image_splitting", "crop_to_patches", "do_pan_and_scan", "image_grid_pinpoints")
_PROCESSORS: Final = ("preprocessor_config.json", "processor_config.json")
_MATRIX: Final = 2
_BYTE: Final = 8
_DECOMPRESSED: Final = "compressed-tensors"
# What the matrices of tokens are called.
_OUTER: Final = ("embed", "lm_head", "wte.", "wpe.", "output.weight")
# Rows of logits and hidden states of a step that reads a prompt.
_ROWS: Final = 256


def estimate(
    folder: ModelFolder, spec: LoadSpec, options: TransformersOptions, gpus: tuple[int, ...]
) -> MemoryEstimate:
    """Raises LoadFailed."""
    uses_gpu = bool(gpus) and not options.cpu
    size = number_size(folder, options, uses_gpu=uses_gpu)
    weights = _weights(folder, options, size, uses_gpu=uses_gpu)
    cache = cache_bytes(folder, spec, options, size)
    hidden, vocabulary = folder.number("hidden_size"), folder.number("vocab_size")
    buffers = _ROWS * (8 * hidden + folder.number("intermediate_size")) * size + spec.parallel * vocabulary * _FLOAT
    buffers += picture_bytes(folder, size)
    program = _PROGRAM + vocabulary * _VOCABULARY_BYTES
    parts = (("weights", weights), ("cache", cache), ("buffers", buffers), ("program", program))
    if not uses_gpu:
        return MemoryEstimate(host=weights + cache + buffers + program, parts=parts)
    shares = _shares(weights + cache + buffers, gpus)
    return MemoryEstimate(host=program + _GPU_HOST, gpus=shares, parts=parts, placement="all layers")


def _weights(folder: ModelFolder, options: TransformersOptions, size: int, *, uses_gpu: bool) -> int:
    tensors = folder.tensors()
    if folder.quantization == _DECOMPRESSED:
        bits = _stated_bits(folder)
        return sum(_decompressed(name, tensor, bits, size, options) for name, tensor in tensors.items())
    # Transformers turns these into numbers that a CPU can compute with.
    unpacked = _EIGHT_BITS if folder.quantization in _UNPACKED and not uses_gpu else frozenset()
    return sum(
        tensor.count * size if tensor.kind in unpacked else _loaded(name, tensor, size, options)
        for name, tensor in tensors.items()
    )


def _stated_bits(folder: ModelFolder) -> int:
    """Of the numbers that are packed."""
    groups = folder.quantization_config.get("config_groups")
    stated = [group.get("weights") for group in groups.values()] if isinstance(groups, dict) else []
    bits = [each.get("num_bits") for each in stated if isinstance(each, dict)]
    return next((each for each in bits if isinstance(each, int) and each > 0), _BYTE)


def _decompressed(name: str, tensor: Tensor, bits: int, size: int, options: TransformersOptions) -> int:
    """These become ordinary numbers with the first token that is computed."""
    if name.endswith(".weight_packed"):
        return tensor.bytes * _BYTE // bits * size
    if name.endswith(".weight") and not tensor.is_float:
        return tensor.count * size
    return _loaded(name, tensor, size, options)


def picture_bytes(folder: ModelFolder, size: int) -> int:
    """What the part that sees computes the largest picture in."""
    if not folder.sees:
        return 0
    stated = _numbers(folder.config["vision_config"])
    hidden = stated.get("embed_dim") or stated.get("hidden_size", _PICTURE_WIDTH)
    wide = stated.get("intermediate_size", 4 * hidden)
    # Measured, of SigLIP with 17 parts of a picture and of Qwen2-VL with 8,464 patches.
    return _patches(folder, stated) * (12 * hidden + 3 * wide) * size


def _patches(folder: ModelFolder, stated: Mapping[str, int]) -> int:
    """Pictures are made to one size, cut into parts of that size as well, or keep their own up to a bound."""
    processor = _picture_processor(folder)
    known, size = _numbers(processor), processor.get("size")
    area = max(1, stated.get("patch_size", _PATCH_SIDE)) ** 2
    if side := stated.get("image_size", 0):
        is_cut = any(processor.get(name) for name in _CUTS)
        return (side * side + is_cut * MOST_PIXELS) // area
    if tokens := known.get("max_soft_tokens"):
        return tokens * known.get("pooling_kernel_size", 1) ** 2
    bound = known.get("max_pixels") or _numbers(size if isinstance(size, dict) else {}).get("longest_edge", MOST_PIXELS)
    return min(bound, MOST_PIXELS) // area


def _picture_processor(folder: ModelFolder) -> Mapping[str, Any]:
    """What is stated of it, in a file of its own or with the other processors."""
    own, all_of_them = (optional_json(folder.path / name) for name in _PROCESSORS)
    part = all_of_them.get("image_processor")
    return {**own, **(part if isinstance(part, dict) else {})}


def _numbers(stated: Mapping[str, Any]) -> dict[str, int]:
    return {name: value for name, value in stated.items() if isinstance(value, int)}


def number_size(folder: ModelFolder, options: TransformersOptions, *, uses_gpu: bool) -> int:
    """Bytes of a number that is not quantized."""
    if options.dtype != AUTO:
        return DTYPES[options.dtype]
    stated = str(folder.text.get("dtype") or folder.text.get("torch_dtype") or folder.config.get("dtype") or "")
    return DTYPES.get(stated, DTYPES["bfloat16"]) if uses_gpu else DTYPES["float32"]


def cache_cells(folder: ModelFolder, spec: LoadSpec, options: TransformersOptions) -> int:
    return max(context_of(folder, spec), options.cache_tokens)


def cache_bytes(folder: ModelFolder, spec: LoadSpec, options: TransformersOptions, size: int) -> int:
    """What keys and values take once the cache is full, in numbers of `size` bytes."""
    tokens = cache_cells(folder, spec, options)
    return (tokens + tokens // SPARE_SHARE) * token_numbers(folder) * size


def _loaded(name: str, tensor: Tensor, size: int, options: TransformersOptions) -> int:
    """Matrices are quantized, but for the first and the last of a model; the scales of 4 bits take an eighth more."""
    if not tensor.is_float:
        return tensor.bytes
    is_quantized = is_quantizable(name, tensor)
    if is_quantized and options.load_in_4bit:
        return tensor.count * 9 // 16
    if is_quantized and options.load_in_8bit:
        return tensor.count
    return tensor.count * size


def is_quantizable(name: str, tensor: Tensor) -> bool:
    return tensor.is_float and len(tensor.shape) == _MATRIX and not any(part in name for part in _OUTER)


def _shares(total: int, gpus: tuple[int, ...]) -> tuple[int, ...]:
    """One card after the other, as layers are dealt out."""
    shares = []
    for free in gpus:
        share = min(total, max(0, free - GPU_PROGRAM))
        shares.append(share + GPU_PROGRAM if share else 0)
        total -= share
    shares[0] += total
    return tuple(shares)
