"""What a folder in Hugging Face's format says of its model.

Only JSON files and the headers of safetensors files are read, so that folders can be listed and estimated without any
library.
"""

import json
import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from modules.errors import LoadFailed

CONFIG: Final = "config.json"
GENERATION: Final = "generation_config.json"
TOKENIZER_CONFIG: Final = "tokenizer_config.json"
TOKENIZER: Final = "tokenizer.json"
_WEIGHTS: Final = "model.safetensors"
_PARTS: Final = "model.safetensors.index.json"
_PICKLES: Final = ("pytorch_model*.bin", "consolidated*.pth", "*.pt")
# How the architectures end that write text.
_WRITERS: Final = ("ForCausalLM", "LMHeadModel")
# And of those with a part that sees.
_SEERS: Final = ("ForConditionalGeneration", "ForVision2Seq", "ForVisionText2Text")
_MAX_BYTES: Final = 32 * 2**20
_LENGTH: Final = struct.Struct("<Q")
# The bound of the safetensors library.
_MAX_HEADER: Final = 100 * 2**20
_BITS: Final[Mapping[str, int]] = MappingProxyType(
    {"F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16, "U16": 16}
)
_BYTE: Final = 8
# Where configurations state the longest text that the model was trained for.
_POSITIONS: Final = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx")
_ROTARY: Final = ("rope_parameters", "rope_scaling", "rope_theta", "rotary_dim", "rotary_pct", "alibi")


@dataclass(frozen=True, slots=True)
class Tensor:
    """`kind` is safetensors' name of the number format."""

    kind: str
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    @property
    def is_float(self) -> bool:
        """Whether it takes the number format that a model is loaded in."""
        return self.kind in {"F64", "F32", "F16", "BF16"}

    @property
    def bytes(self) -> int:
        return self.count * _BITS.get(self.kind, _BYTE) // _BYTE


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """`config` is config.json; `text` what it says of the part that reads and writes text."""

    path: Path
    config: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> "ModelFolder":
        """Raises LoadFailed."""
        return cls(path, read_json(path / CONFIG))

    @property
    def text(self) -> Mapping[str, Any]:
        own = self.config.get("text_config")
        return own if isinstance(own, dict) else self.config

    @property
    def architecture(self) -> str:
        names = self.config.get("architectures")
        return str(names[0]) if isinstance(names, list) and names else ""

    @property
    def writes_text(self) -> bool:
        return self.architecture.endswith(_WRITERS) or self.sees

    @property
    def sees(self) -> bool:
        """Whether its architecture reads pictures beside text, and writes text."""
        return isinstance(self.config.get("vision_config"), dict) and self.architecture.endswith(_SEERS)

    @property
    def has_safetensors(self) -> bool:
        return (self.path / _WEIGHTS).is_file() or (self.path / _PARTS).is_file()

    @property
    def has_pickles(self) -> bool:
        return any(next(self.path.glob(pattern), None) is not None for pattern in _PICKLES)

    @property
    def needs_code(self) -> bool:
        """Whether its architecture is Python code in the folder."""
        return bool(self.config.get("auto_map"))

    def loads_as(self, name: str) -> bool:
        """Whether it is to be loaded by Transformers' class `name`, one of those that find the architecture."""
        stated = self.config.get("auto_map")
        return name in stated if isinstance(stated, dict) and stated else self.sees

    @property
    def quantization(self) -> str:
        """How its weights are quantized, empty where they are not."""
        stated = self.quantization_config
        if stated.get("load_in_4bit") or stated.get("load_in_8bit"):
            return "bitsandbytes"
        return str(stated.get("quant_method", "unknown")) if stated else ""

    @property
    def quantization_config(self) -> Mapping[str, Any]:
        """Empty where the weights are not quantized."""
        stated = self.config.get("quantization_config") or self.text.get("quantization_config")
        return stated if isinstance(stated, dict) else {}

    @property
    def trained_context(self) -> int:
        """0 when it is not stated."""
        return next((value for name in _POSITIONS if (value := self.number(name))), 0)

    @property
    def learns_positions(self) -> bool:
        """Whether there is a weight for each position, so that none beyond can be computed."""
        return not any(self.text.get(name) for name in _ROTARY)

    def number(self, name: str) -> int:
        """0 where it is not stated."""
        value = self.text.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else 0

    def weight_files(self) -> tuple[Path, ...]:
        """Raises LoadFailed when one is missing."""
        if (self.path / _WEIGHTS).is_file():
            return (self.path / _WEIGHTS,)
        parts = read_json(self.path / _PARTS).get("weight_map")
        names = sorted(set(map(str, parts.values()))) if isinstance(parts, dict) else []
        files = tuple(self.path / Path(name).name for name in names)
        missing = next((file.name for file in files if not file.is_file()), None)
        if missing is not None or not files:
            raise LoadFailed(
                f"{self.path.name} is incomplete: {missing or 'its weights'} is missing. Download it again."
            )
        return files

    def tensors(self) -> dict[str, Tensor]:
        """Raises LoadFailed."""
        return {name: tensor for file in self.weight_files() for name, tensor in _tensors(file)}


def optional_json(path: Path) -> Mapping[str, Any]:
    """Empty where there is no such file. Raises LoadFailed when it cannot be read."""
    return read_json(path) if path.is_file() else {}


def read_json(path: Path) -> Mapping[str, Any]:
    """Raises LoadFailed."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise LoadFailed(f"{path.name} is too large for what it should be.")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LoadFailed(f"{path.name} of the model's folder is missing or damaged. Download it again.") from error
    if not isinstance(found, dict):
        raise LoadFailed(f"{path.name} is damaged: it holds no JSON object.")
    return found


def _tensors(file: Path) -> Iterator[tuple[str, Tensor]]:
    try:
        with file.open("rb") as opened:
            (length,) = _LENGTH.unpack(opened.read(_LENGTH.size).ljust(_LENGTH.size, b"\0"))
            if not 0 < length <= _MAX_HEADER:
                raise ValueError("no safetensors header")
            header = json.loads(opened.read(length))
        end = max((entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"), default=0)
        if file.stat().st_size < _LENGTH.size + length + end:
            raise ValueError("the file is cut off")
        for name, entry in header.items():
            if name != "__metadata__":
                yield name, Tensor(str(entry["dtype"]), tuple(map(int, entry["shape"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise LoadFailed(
            f"{file.name} is damaged or incomplete. Check its size against the original, or download it again."
        ) from error
