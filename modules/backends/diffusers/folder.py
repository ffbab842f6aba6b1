"""What the folder of a pipeline says about itself. Only small JSON files and headers are read."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from modules.backends.diffusers.families import PipelineFamily, family_of, is_distilled, makes_pictures
from modules.errors import LoadFailed

_INDEX: Final = "model_index.json"
_CONFIGS: Final = ("config.json", "scheduler_config.json", "preprocessor_config.json", "tokenizer_config.json")
_PICKLES: Final = frozenset((".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"))
_SAFE: Final = ".safetensors"
# Some of the libraries of components; any other would be code from elsewhere.
_LIBRARIES: Final = frozenset(("diffusers", "transformers", "stable_diffusion"))
# Judges pictures and blackens them; nothing here does that.
_UNUSED: Final = frozenset(("safety_checker", "watermark"))
_MAX_BYTES: Final = 16 * 2**20
_LENGTH: Final = struct.Struct("<Q")
_HALF: Final = frozenset(("F16", "BF16"))
_DENOISERS: Final = ("transformer", "unet", "prior")


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A part with weights: their files, and whether they are of 16 bits or fewer."""

    name: str
    files: tuple[Path, ...]
    is_half: bool

    @property
    def size(self) -> int:
        return sum(file.stat().st_size for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineFolder:
    """`variant` names the files to read where there are several of the same weights: "fp16", or "" for the plain ones.
    `side`, `steps` and `guidance` are what it draws best with."""

    path: Path
    pipeline: str
    family: PipelineFamily
    components: tuple[Component, ...]
    variant: str
    side: int
    steps: int
    guidance: float

    @property
    def size(self) -> int:
        return sum(component.size for component in self.components)

    @property
    def is_half(self) -> bool:
        """Whether what weighs most of it is stored in 16 bits."""
        return sum(component.size for component in self.components if component.is_half) * 2 > self.size

    def bytes_in(self, *, full: bool) -> int:
        """Of the weights with 32 bits, or with 16."""
        return sum(_converted(component, full=full) for component in self.components)

    @property
    def largest(self) -> int:
        return max((component.size for component in self.components), default=0)


def is_pipeline_folder(path: Path) -> bool:
    """Whether a pipeline that makes pictures lies there."""
    if not (path / _INDEX).is_file():
        return False
    try:
        return makes_pictures(str(_read(path / _INDEX).get("_class_name", "")))
    except LoadFailed:
        return False


def read_pipeline_folder(path: Path) -> PipelineFolder:
    """Raises LoadFailed for what is incomplete, needs code of its own, or holds pickles in place of safetensors."""
    index = _read(path / _INDEX)
    pipeline = index.get("_class_name")
    if not isinstance(pipeline, str):
        raise LoadFailed("This pipeline brings Python code of its own, which is not run. Choose one that needs none.")
    named = {name: value for name, value in index.items() if isinstance(value, list) and value[:1] != [None]}
    for name, value in named.items():
        if name not in _UNUSED and value[0] not in _LIBRARIES:
            raise LoadFailed(
                f"The part {name} of this pipeline needs code from {str(value[0])[:60]!r}, which is not run."
            )
    places = [path / name for name in named if name not in _UNUSED]
    missing = [place.name for place in places if not place.is_dir()]
    if missing:
        raise LoadFailed(f"The pipeline is incomplete: {', '.join(missing)} is missing. Download it again.")
    variant = _variant(places)
    components = tuple(filter(None, (_component(place, variant) for place in places)))
    family = family_of(pipeline)
    steps, guidance = _pace(path, family)
    return PipelineFolder(
        path=path,
        pipeline=pipeline,
        family=family,
        components=components,
        variant=variant,
        side=_side(path, family),
        steps=steps,
        guidance=guidance,
    )


def _variant(places: list[Path]) -> str:
    """The plain files where they are complete: which weights are smaller does not matter for what is computed."""
    halves = [place for place in places if any(place.glob(f"*.fp16*{_SAFE}"))]
    is_plain = all(any(".fp16" not in file.name for file in place.glob(f"*{_SAFE}")) for place in halves)
    return "fp16" if halves and not is_plain else ""


def _component(place: Path, variant: str) -> Component | None:
    """None for parts without weights. Raises LoadFailed for pickles."""
    found = sorted(place.glob(f"*{_SAFE}"))
    chosen = [file for file in found if (".fp16" in file.name) == bool(variant)] or found
    if not chosen:
        pickles = sorted(file.name for file in place.iterdir() if file.suffix.lower() in _PICKLES)
        if pickles:
            raise LoadFailed(
                f"{place.name}/{pickles[0]} is a pickle, which can run code when it is opened. Get the model as .safetensors."
            )
        return None
    return Component(name=place.name, files=tuple(chosen), is_half=_is_half(chosen[0]))


def _is_half(file: Path) -> bool:
    """Raises LoadFailed for a damaged file."""
    try:
        with file.open("rb") as opened:
            (length,) = _LENGTH.unpack(opened.read(_LENGTH.size).ljust(_LENGTH.size, b"\0"))
            if not 0 < length <= _MAX_BYTES * 8:
                raise ValueError("no header")
            header = json.loads(opened.read(length))
        kinds = [str(entry["dtype"]) for name, entry in header.items() if name != "__metadata__"]
        ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(file) from error
    if file.stat().st_size < _LENGTH.size + length + max(ends, default=0):
        raise _damaged(file)
    return bool(kinds) and kinds.count("F32") * 2 < len(kinds)


def _damaged(file: Path) -> LoadFailed:
    return LoadFailed(f"{file.parent.name}/{file.name} is damaged or incomplete. Download it again.")


def _converted(component: Component, *, full: bool) -> int:
    if component.is_half:
        return component.size * 2 if full else component.size
    return component.size if full else component.size // 2


def _side(path: Path, family: PipelineFamily) -> int:
    """What the part that removes noise was trained for, times what the decoder enlarges."""
    for name in _DENOISERS:
        config = _config(path / name)
        size = config.get("sample_size")
        if isinstance(size, int) and 0 < size <= 4096 and config.get("_class_name", "").startswith("UNet"):
            levels = _config(path / "vae").get("block_out_channels") or [0] * 4
            return int(size * 2 ** (len(levels) - 1))
    return family.side


def _pace(path: Path, family: PipelineFamily) -> tuple[int, float]:
    """Steps and guidance. Models of few steps say so by their name, or by having no input for the guidance."""
    has_no_guidance = _config(path / "transformer").get("guidance_embeds") is False
    if family.distilled is not None and (is_distilled(path.name) or (family.name == "flux" and has_no_guidance)):
        return family.distilled
    return family.steps, family.guidance


def _config(place: Path) -> Mapping[str, Any]:
    try:
        return _read(place / "config.json")
    except LoadFailed:
        return {}


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise LoadFailed(f"{path.name} is too large for what it should be.")
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LoadFailed(f"{path.name} of the model's folder cannot be read.") from error
    if not isinstance(found, dict):
        raise LoadFailed(f"{path.name} is damaged: it holds no JSON object.")
    return found
