"""Control vectors: directions that are added to what layers compute (arXiv:2310.01405)."""

import ctypes
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from llama_cpp import _ctypes_extensions, _ggml
from llama_cpp import llama_cpp as c

from modules.backends.llamacpp.gguf_header import read_gguf
from modules.backends.llamacpp.options import LlamaCppOptions, vector_parts
from modules.errors import LoadFailed

_ARCHITECTURE: Final = "controlvector"
_DIRECTION: Final = re.compile(r"direction\.([1-9]\d{0,3})")
_F32: Final = 0  # ggml.h, enum ggml_type


class _InitParams(ctypes.Structure):
    """gguf.h, struct gguf_init_params."""

    _fields_ = (("no_alloc", ctypes.c_bool), ("context", ctypes.c_void_p))


_FUNCTIONS: Final = MappingProxyType(
    {
        "gguf_init_from_file": (ctypes.c_void_p, (ctypes.c_char_p, _InitParams)),
        "gguf_get_n_tensors": (ctypes.c_int64, (ctypes.c_void_p,)),
        "gguf_get_tensor_name": (ctypes.c_char_p, (ctypes.c_void_p, ctypes.c_int64)),
        "gguf_get_tensor_type": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_int64)),
        "gguf_get_tensor_size": (ctypes.c_size_t, (ctypes.c_void_p, ctypes.c_int64)),
        "gguf_get_tensor_offset": (ctypes.c_size_t, (ctypes.c_void_p, ctypes.c_int64)),
        "gguf_get_data_offset": (ctypes.c_size_t, (ctypes.c_void_p,)),
        "gguf_free": (None, (ctypes.c_void_p,)),
    }
)


def check_vectors(options: LlamaCppOptions, width: int) -> None:
    """Raises LoadFailed for a file that is no control vector of a model with so many numbers for each token."""
    for item in options.control_vector:
        path = Path(vector_parts(item)[0])
        header = read_gguf(path)
        sizes = [size for name, size in header.tensors.items() if _DIRECTION.fullmatch(name)]
        if header.architecture != _ARCHITECTURE or not sizes:
            raise LoadFailed(f"{path.name} is no control vector.", param="args.control_vector")
        if width and min(sizes) < width * 4:
            raise LoadFailed(
                f"The control vector {path.name} is made for a model with another width.", param="args.control_vector"
            )


def apply_vectors(model: Any, context: Any, options: LlamaCppOptions) -> None:
    """The sum of the vectors of `options`, each by its scale. Raises LoadFailed."""
    if not options.control_vector:
        return
    width, layers = int(c.llama_model_n_embd(model)), int(c.llama_model_n_layer(model))
    # The first layer has none.
    total = np.zeros((layers - 1, width), np.float32)
    for item in options.control_vector:
        name, scale = vector_parts(item)
        for layer, direction in _directions(Path(name), width):
            if layer < layers:
                total[layer - 1] += scale * direction
    first, last = (int(each) for each in (*options.control_vector_layers, 1, layers)[:2])
    values = np.ascontiguousarray(total).ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    if c.llama_set_adapter_cvec(context, values, total.size, width, first, last):
        raise LoadFailed("llama.cpp could not apply the control vectors.", param="args.control_vector")


def _directions(path: Path, width: int) -> Iterator[tuple[int, np.ndarray]]:
    """Layers with the direction of each, `width` numbers."""
    with _opened(path) as (ask, file):
        begin = ask("gguf_get_data_offset", file)
        for index in range(ask("gguf_get_n_tensors", file)):
            match = _DIRECTION.fullmatch(ask("gguf_get_tensor_name", file, index).decode("utf-8", "replace"))
            if match is None:
                continue
            size = ask("gguf_get_tensor_size", file, index)
            if ask("gguf_get_tensor_type", file, index) != _F32 or size != 4 * width:
                raise LoadFailed(f"{path.name} is made for another model.", param="args.control_vector")
            offset = begin + ask("gguf_get_tensor_offset", file, index)
            yield int(match[1]), np.fromfile(path, np.dtype("<f4"), width, offset=offset)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, int]]:
    library = _ctypes_extensions.load_shared_library("ggml-base", _ggml.libggml_base_path)

    def ask(name: str, *arguments: Any) -> Any:
        function = getattr(library, name)
        function.restype, function.argtypes = _FUNCTIONS[name]
        return function(*arguments)

    file = ask("gguf_init_from_file", str(path).encode(), _InitParams(True, None))
    if not file:
        raise LoadFailed(f"{path.name} cannot be read.", param="args.control_vector")
    try:
        yield ask, file
    finally:
        ask("gguf_free", file)
