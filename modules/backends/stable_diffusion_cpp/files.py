"""Files of image models: what their headers say, and which belong together.

No weights are read.
"""

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Final

from modules.backends.llamacpp.gguf_header import read_gguf, read_traits
from modules.backends.stable_diffusion_cpp.families import ImageFamily, ModelPart, Shapes, family_of, part_of
from modules.errors import LoadFailed

_GGUF: Final = ".gguf"
ENDINGS: Final = (_GGUF, ".safetensors")
_DIFFUSION: Final = "model.diffusion_model."
_ENCODERS: Final = ("cond_stage_model.", "conditioner.", "text_encoders.", "te.")
_DECODERS: Final = ("first_stage_model.", "vae.")
_SHARD: Final = re.compile(r"-\d{5}-of-\d{5}\.")
# Folders that another loader reads as a whole.
_FOREIGN: Final = ("config.json", "model_index.json")
_ARCHITECTURE: Final = "general.architecture"
# What converters call image models; where they say nothing, the tensors do.
_ARCHITECTURES: Final = frozenset(
    "sd1 sd2 sdxl sd3 flux flux2 chroma lumina2 z_image zimage qwen_image qwen-image pig diffusion sd".split()
)
_LENGTH: Final = struct.Struct("<Q")
_MAX_HEADER: Final = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFile:
    """`family` is that of its diffusion model, None where it has none; `part` is what it is then. With `is_prefixed` its
    tensors are named as in a checkpoint. `elements` are its numbers, `size` its bytes."""

    path: Path
    family: ImageFamily | None
    part: ModelPart | None
    is_prefixed: bool
    has_encoder: bool
    has_decoder: bool
    elements: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageModelFiles:
    """The file with the diffusion model, and the other parts that lie beside it."""

    main: WeightsFile
    family: ImageFamily
    parts: Mapping[ModelPart, WeightsFile]

    @property
    def files(self) -> tuple[WeightsFile, ...]:
        return (self.main, *self.parts.values())

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def elements(self) -> int:
        return sum(file.elements for file in self.files)


def is_image_model(path: Path) -> bool:
    """Whether it is a file with a diffusion model, or a folder with one and its parts. False for what cannot be read."""
    try:
        if path.is_dir():
            return not _is_foreign(path) and _is_model_folder(path)
        return path.is_file() and not _is_foreign(path.parent) and _has_diffusion(path)
    except OSError:
        return False


def read_image_model(path: Path) -> ImageModelFiles:
    """Raises LoadFailed for what is damaged, is no image model, or lacks a part, which it names."""
    main = _main_file(path)
    assert main.family is not None
    needed = () if main.has_encoder else main.family.encoders
    wanted = (*needed, *(() if main.has_decoder else (ModelPart.VAE,)))
    found = _parts_beside(main) if wanted else {}
    missing = [part for part in wanted if part not in found]
    if missing:
        raise LoadFailed(
            f"{main.path.name} holds the diffusion model only; these parts are missing beside it: {', '.join(missing)}. Put them "
            "into the same folder."
        )
    parts = {part: file for part, file in found.items() if part in wanted or part is ModelPart.LLM_VISION}
    return ImageModelFiles(main=main, family=main.family, parts=parts)


def _main_file(path: Path) -> WeightsFile:
    if not path.is_dir():
        found = read_weights(path)
        if found.family is None:
            raise LoadFailed(f"{path.name} is no image model that this loader knows.")
        return found
    mains = [read_weights(file) for file in _weight_files(path) if _has_diffusion(file)]
    if len(mains) != 1:
        raise LoadFailed(f"{path.name} holds {len(mains)} diffusion models; a folder of parts has one.")
    return mains[0]


def _parts_beside(main: WeightsFile) -> dict[ModelPart, WeightsFile]:
    """The first of each, by name. What cannot be read is none."""
    found: dict[ModelPart, WeightsFile] = {}
    for path in _weight_files(main.path.parent):
        if path == main.path:
            continue
        try:
            file = read_weights(path)
        except LoadFailed:
            continue
        if file.part is not None:
            found.setdefault(file.part, file)
    return found


def read_weights(path: Path) -> WeightsFile:
    """Raises LoadFailed, in a sentence."""
    shapes = _gguf_shapes(path) if path.suffix.lower() == _GGUF else _safetensors_shapes(path)
    own = {name.removeprefix(_DIFFUSION): shape for name, shape in shapes.items() if name.startswith(_DIFFUSION)}
    family = family_of(own or shapes, path.name)
    return WeightsFile(
        path=path,
        family=family,
        part=part_of(shapes) if family is None else None,
        is_prefixed=bool(own),
        has_encoder=any(name.startswith(_ENCODERS) for name in shapes),
        has_decoder=any(name.startswith(_DECODERS) for name in shapes),
        elements=sum(prod(shape) for shape in shapes.values()),
        size=path.stat().st_size,
    )


def _is_foreign(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _FOREIGN)


def _is_model_folder(folder: Path) -> bool:
    """Of one diffusion model that needs the files beside it. Several are models of their own."""
    files = _weight_files(folder)
    mains = [file for file in files if _has_diffusion(file)]
    if len(mains) != 1 or len(files) == 1:
        return False
    try:
        main = read_weights(mains[0])
    except LoadFailed:
        return False
    return not (main.has_encoder and main.has_decoder)


def _weight_files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in ENDINGS and file.is_file())


def _has_diffusion(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix not in ENDINGS or _SHARD.search(path.name):
        return False
    try:
        # Headers of text models are large, and say early what they are.
        if suffix == _GGUF and read_traits(path).get(_ARCHITECTURE, "sd") not in _ARCHITECTURES:
            return False
        return read_weights(path).family is not None
    except LoadFailed:
        return False


def _gguf_shapes(path: Path) -> Shapes:
    header = read_gguf(path)
    return {name: tuple(reversed(shape)) for name, shape in header.shapes.items()}


def _safetensors_shapes(path: Path) -> Shapes:
    try:
        with path.open("rb") as file:
            (length,) = _LENGTH.unpack(file.read(_LENGTH.size).ljust(_LENGTH.size, b"\0"))
            if not 0 < length <= _MAX_HEADER:
                raise ValueError("no header")
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        shapes = {str(name): tuple(int(side) for side in entry["shape"]) for name, entry in header.items()}
        end = max((int(entry["data_offsets"][1]) for entry in header.values()), default=0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise LoadFailed(f"{path.name} is no usable safetensors file. Download it again.") from error
    if path.stat().st_size < _LENGTH.size + length + end:
        raise LoadFailed(f"{path.name} is incomplete: it is shorter than its tensors. Download it again.")
    return shapes
