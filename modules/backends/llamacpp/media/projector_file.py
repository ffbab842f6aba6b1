"""Files of projectors: what they are for, and which one belongs to a model. Reads headers only."""

import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from modules.backends.llamacpp.gguf_header import GgufHeader, read_gguf, read_traits
from modules.errors import LoadFailed

_log = logging.getLogger(__name__)

_GGUF: Final = ".gguf"
_ARCHITECTURE: Final = "clip"
_TYPE: Final = "mmproj"
# Only a file with one of these in its name is looked into; folders of models can be large and slow.
_HINTS: Final = re.compile(r"mmproj|vision|clip|proj|audio", re.IGNORECASE)
# The tensors whose output is what the model reads; the others are the encoder's own.
_CONNECTORS: Final = re.compile(r"(a\.)?mm\.|resampler\.|model\.mm|v\.resampler|mm_|proj")
# bfloat16 is slow on older processors, and quantized projectors see less.
_PRECISIONS: Final = ("f16", "bf16", "q8_0", "f32")
_F32: Final = 4
_SEPARATORS: Final = re.compile(r"[-_.\s]+")
# What a projector's name says besides the model's.
_OWN_WORDS: Final = frozenset(("mmproj", "model", "vision", "audio", "gguf"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectorFile:
    """`kind` is what llama.cpp calls its construction. `widths` are the sizes that its output may have. It computes in
    about `compute_bytes`, beside the `size_bytes` of its weights."""

    path: Path
    kind: str
    sees: bool
    hears: bool
    widths: frozenset[int]
    size_bytes: int
    compute_bytes: int

    def fits(self, width: int) -> bool:
        """Whether a model that takes `width` numbers in place of a token can read its output, as far as the header says."""
        return not self.widths or width in self.widths


def is_projector(path: Path) -> bool:
    """As far as the beginning of the file says; False for what cannot be read."""
    try:
        traits = read_traits(path)
    except LoadFailed:
        return False
    return traits.get("general.architecture") == _ARCHITECTURE or traits.get("general.type") == _TYPE


def read_projector(path: Path) -> ProjectorFile:
    """Raises LoadFailed for what is no projector."""
    header = read_gguf(path)
    metadata = header.metadata
    if header.architecture != _ARCHITECTURE and metadata.get("general.type") != _TYPE:
        raise LoadFailed(f"{path.name} is no projector. Take the mmproj file that belongs to the model.")
    kinds = (metadata.get(f"clip.{part}projector_type") for part in ("", "vision.", "audio."))
    widths = {size for name, shape in header.shapes.items() if _CONNECTORS.match(name) for size in shape}
    return ProjectorFile(
        path=path,
        kind=next((kind for kind in kinds if isinstance(kind, str)), ""),
        sees=bool(metadata.get("clip.has_vision_encoder")),
        hears=bool(metadata.get("clip.has_audio_encoder")),
        widths=frozenset(widths),
        size_bytes=sum(header.tensors.values()),
        compute_bytes=_compute_bytes(header),
    )


def projector_bytes(path: Path) -> int:
    """What it takes, about. Raises LoadFailed."""
    file = read_projector(path)
    return file.size_bytes + file.compute_bytes


def named_projector(name: str, folders: Iterable[Path]) -> Path:
    """The file of that name in the first of `folders` that has it; its ending may be left out. Raises LoadFailed."""
    for folder in folders:
        for candidate in (folder / name, folder / (name + _GGUF)):
            if candidate.is_file():
                return candidate.absolute()
    raise LoadFailed(
        f"There is no projector {name[:80]!a}. Put it beside the model or into the folder mmproj of the user data, or "
        "load the model with --mmproj off.",
        param="args.mmproj",
    )


def fitting_projector(model: Path, folder: Path) -> Path | None:
    """The projector that belongs to `model`: beside it, or else in `folder`. None where there is none."""
    for place in (model.parent, folder):
        found = sorted(_candidates(model, place), key=lambda path: _rank(model, path))
        if not found:
            continue
        others = f"; {', '.join(path.name for path in found[1:])} would fit as well" if found[1:] else ""
        _log.info("%s reads pictures or sounds with %s%s", model.name, found[0].name, others)
        return found[0].absolute()
    return None


def _candidates(model: Path, place: Path) -> Iterator[Path]:
    files = _files(place)
    projectors = [path for path in files if place != model.parent or _HINTS.search(path.name)]
    if not projectors or not model.is_file():
        return
    width = _width(model)
    models = [path for path in _files(model.parent) if not _HINTS.search(path.name)]
    for path in projectors:
        if path == model or not is_projector(path) or _belongs_to_another(path, model, models):
            continue
        try:
            if read_projector(path).fits(width):
                yield path
        except LoadFailed as error:
            _log.warning("%s", error.message)


def _width(model: Path) -> int:
    """How many numbers stand for a token; 0, which nothing fits, where the file does not say."""
    try:
        traits = read_traits(model)
    except LoadFailed:
        return 0
    found = traits.get(f"{traits.get('general.architecture')}.embedding_length")
    return found if isinstance(found, int) else 0


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() == _GGUF) if folder.is_dir() else []


def _belongs_to_another(path: Path, model: Path, models: Iterable[Path]) -> bool:
    """Whether its name is more like that of another model."""
    return any(common_name(other, path) > common_name(model, path) for other in models)


def _rank(model: Path, path: Path) -> tuple[int, int, str]:
    words = _SEPARATORS.split(path.stem.lower().replace("q8_0", "q8"))
    precision = next((index for index, each in enumerate(_PRECISIONS) if each.replace("_0", "") in words), 1)
    return -common_name(model, path), precision, path.name


def common_name(model: Path, projector: Path) -> int:
    """How many letters of the model's name, word by word from its beginning, the projector's has too."""
    words = [word for word in _SEPARATORS.split(projector.stem.lower()) if word not in _OWN_WORDS]
    length = 0
    for ours, theirs in zip(_SEPARATORS.split(model.stem.lower()), words, strict=False):
        if ours != theirs:
            break
        length += len(ours)
    return length


def _compute_bytes(header: GgufHeader) -> int:
    """Of the widest moment with the largest picture: attention between all of its patches, or one layer's numbers."""
    size, patch = header.number("vision.image_size"), max(1, header.number("vision.patch_size", 1))
    patches = (size // patch) ** 2
    attention = header.number("vision.attention.head_count") * patches * patches * _F32
    numbers = 8 * header.number("vision.embedding_length") + 2 * header.number("vision.feed_forward_length")
    return attention + patches * numbers * _F32
