"""Whether a folder's encoder can be computed: by its own ONNX file, or a graph that is made."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from modules.backends.encoders.folder import (
    architecture_of,
    has_tokenizer,
    has_weights,
    is_encoder_folder,
    is_part,
    read_folder,
)
from modules.errors import LoadFailed

_GRAPHS: Final = ("onnx/model.onnx", "model.onnx")
_BUILT: Final = frozenset(("bert", "roberta", "xlm-roberta", "mpnet"))
_CUDA_PACKAGE: Final = "onnxruntime-gpu"


def graph_of(path: Path) -> Path | None:
    return next((path / name for name in _GRAPHS if (path / name).is_file()), None)


def is_computable(path: Path) -> bool:
    """Whether the folder at `path` holds an encoder of which all parts are known."""
    has_graph = graph_of(path) is not None
    if not is_encoder_folder(path):
        # An encoder without modules gives the mean of its states.
        is_plain = architecture_of(path) in _BUILT and has_tokenizer(path) and not is_part(path)
        return is_plain and (has_graph or has_weights(path))
    try:
        folder = read_folder(path)
    except LoadFailed:
        return True  # loading it says what is wrong
    is_built = folder.architecture in _BUILT and bool(folder.weights)
    return not folder.unknown_modules and (has_graph or is_built)


def has_cuda() -> bool:
    """Whether the package that computes on CUDA is installed."""
    try:
        version(_CUDA_PACKAGE)
    except PackageNotFoundError:
        return False
    return True
