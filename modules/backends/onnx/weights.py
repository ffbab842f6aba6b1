"""Tensors of safetensors files, as 32-bit floats that are read from disk when they are used."""

import json
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from modules.errors import LoadFailed

Floats: TypeAlias = NDArray[np.float32]
Integers: TypeAlias = NDArray[np.int64]

_LENGTH: Final = struct.Struct("<Q")
# The bound of the safetensors library.
_MAX_HEADER: Final = 100 * 2**20
_TYPES: Final = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
# bfloat16 is the upper half of a float32.
_LOW_BITS: Final = 16


class EncoderWeights:
    """The tensors of `files` by name, without what all names begin with (`bert.`, `roberta.`, …). Raises LoadFailed when
    they cannot be read."""

    def __init__(self, files: Sequence[Path], prefixes: Sequence[str]) -> None:
        self._tensors: dict[str, tuple[str, NDArray[Any]]] = {}
        for file in files:
            try:
                self._tensors |= {_without(prefixes, name): found for name, found in _tensors(file)}
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise LoadFailed(
                    f"{file.name} is damaged or incomplete. Check its size against the original, or download it again."
                ) from error

    def __contains__(self, name: str) -> bool:
        return name in self._tensors

    def __getitem__(self, name: str) -> Floats:
        if name not in self._tensors:
            raise LoadFailed(f"The model's file lacks the tensor {name}: it is incomplete, or of another architecture.")
        kind, stored = self._tensors[name]
        if kind == "BF16":
            return (stored.astype("<u4") << _LOW_BITS).view("<f4")
        return stored.astype(np.float32, copy=False)


def _tensors(file: Path) -> Iterator[tuple[str, tuple[str, NDArray[Any]]]]:
    with file.open("rb") as opened:
        (length,) = _LENGTH.unpack(opened.read(_LENGTH.size).ljust(_LENGTH.size, b"\0"))
        if not 0 < length <= _MAX_HEADER:
            raise ValueError("no safetensors header")
        header = json.loads(opened.read(length))
    content = np.memmap(file, mode="r", offset=_LENGTH.size + length)
    for name, entry in header.items():
        if name != "__metadata__" and (kind := entry["dtype"]) in _TYPES:
            begin, end = entry["data_offsets"]
            yield name, (kind, content[begin:end].view(_TYPES[kind]).reshape(entry["shape"]))


def _without(prefixes: Sequence[str], name: str) -> str:
    return next((name.removeprefix(prefix) for prefix in prefixes if name.startswith(prefix)), name)
