"""The llama.cpp backend: GGUF files, on CPUs and graphics cards."""

import re
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import ClassVar, Final

from typing_extensions import override

from modules.backends.base import BackendSpec, MemoryEstimate, ModelTraits, read_options
from modules.backends.llamacpp.gguf_header import TEMPLATE, kind_of_gguf, read_gguf
from modules.backends.llamacpp.media.projector_file import (
    fitting_projector,
    is_projector,
    named_projector,
    projector_bytes,
)
from modules.backends.llamacpp.memory.estimate import can_use_gpu, embedder_bytes, estimate, placed_shape
from modules.backends.llamacpp.memory.fit import described, fit
from modules.backends.llamacpp.options import PROJECTOR_FOUND, PROJECTOR_OFF, LlamaCppOptions, vector_parts
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import LoadFailed
from modules.paths import UserData
from modules.settings.options import SettingsGroup

_GGUF: Final = ".gguf"
# The vision part of a model, which cannot be loaded alone.
_PROJECTOR: Final = "mmproj"
_VECTORS: Final = "control_vector"
# llama.cpp opens the first part of a split file and finds the others itself.
_LATER_PART: Final = re.compile(r"-0*(?!0*1-)\d+-of-\d+\.gguf$", re.IGNORECASE)


class LlamaCpp(BackendSpec):
    name: ClassVar[str] = "llama.cpp"
    implementation: ClassVar[str] = "modules.backends.llamacpp.loader:LlamaCppLoader"
    # text-generation-webui's spellings.
    spellings: ClassVar[tuple[str, ...]] = ("llamacpp", "llama_cpp")
    options: ClassVar[type[SettingsGroup]] = LlamaCppOptions
    format: ClassVar[str] = "GGUF"
    endings: ClassVar[tuple[str, ...]] = (_GGUF,)
    can_draft: ClassVar[bool] = True

    @override
    def reads(self, path: Path) -> bool:
        """Of a model in several files only the first counts; a projector of pictures is no model of its own."""
        name = path.name.lower()
        if not name.endswith(_GGUF) or _PROJECTOR in name or _LATER_PART.search(name):
            return False
        return not (path.is_file() and is_projector(path))

    @override
    def reads_adapter(self, path: Path) -> bool:
        return path.name.lower().endswith(_GGUF)

    @override
    def kind_of(self, path: Path) -> ModelKind:
        return kind_of_gguf(path) if path.is_file() else ModelKind.CHAT

    @override
    def completed(self, spec: LoadSpec, data: UserData, *, requested: Collection[str] = ()) -> LoadSpec:
        """The projector: by name, or the one that fits; and the control vectors."""
        spec = replace(_with_vectors(spec, data, requested), cache_folder=str(data.cache.absolute()))
        name = spec.options.get(_PROJECTOR)
        if not isinstance(name, str):
            return spec
        found = (
            ""
            if name == PROJECTOR_OFF or spec.kind is not ModelKind.CHAT
            else _projector_of(spec, name, data, requested)
        )
        return replace(spec, options={**spec.options, _PROJECTOR: found})

    @override
    def can_use_gpu(self) -> bool:
        return can_use_gpu()

    @override
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        if spec.kind is not ModelKind.CHAT:
            return MemoryEstimate(host=embedder_bytes(Path(spec.path), spec))
        cards = (gpus or (0,)) if can_use_gpu() else ()
        options = read_options(LlamaCppOptions, spec)
        if options.rpc:
            # What is free on other machines is not known, so each device counts as one of equal size.
            cards = (1,) * (len(cards) + len(options.rpc))
        found = estimate(Path(spec.path), spec, options, cards)
        parts = (("weights", found.weights), ("cache", found.cache), ("buffers", found.buffers))
        here = found.gpus[len(options.rpc) :]
        host, on_cards, projector = _with_projector(found.host, here, options)
        return MemoryEstimate(
            host=host,
            gpus=on_cards,
            parts=(*parts, ("projector", projector)) if projector else parts,
            placement=f"{found.gpu_layers} of {found.layers} layers",
        )

    @override
    def traits(self, spec: LoadSpec) -> ModelTraits:
        header = read_gguf(Path(spec.path))
        template = header.metadata.get(TEMPLATE)
        return ModelTraits(
            trained_context=header.number("context_length"),
            chat_template=template if isinstance(template, str) else None,
            modalities=("text", "image") if spec.options.get(_PROJECTOR) else ("text",),
        )

    @override
    def fit(self, spec: LoadSpec, host: int, gpus: tuple[int, ...] = ()) -> tuple[LoadSpec, str]:
        options = read_options(LlamaCppOptions, spec)
        if spec.kind is not ModelKind.CHAT or not options.fit or options.rpc:
            return spec, ""
        shape = placed_shape(read_gguf(Path(spec.path)), options)
        taken, on_cards, _ = _with_projector(0, (0,) * len(gpus) if can_use_gpu() else (), options)
        free = tuple(max(0, size - less) for size, less in zip(gpus, on_cards, strict=False))
        found = fit(shape, spec, options, host=max(0, host - taken), gpus=free)
        fitted = replace(spec, context=found.context, options={**spec.options, **found.options})
        return fitted, described(found, layers=len(shape.layers))


def _projector_of(spec: LoadSpec, name: str, data: UserData, requested: Collection[str]) -> str:
    model = Path(spec.path)
    if not name:
        fitting = fitting_projector(model, data.mmproj)
        return "" if fitting is None else PROJECTOR_FOUND + str(fitting)
    if _PROJECTOR in requested:
        return str(named_projector(_checked(name), (model.parent, data.mmproj)))
    return str(named_projector(str(Path(name).expanduser()), (model.parent, data.mmproj, Path.cwd())))


def _with_vectors(spec: LoadSpec, data: UserData, requested: Collection[str]) -> LoadSpec:
    items = spec.options.get(_VECTORS)
    if not isinstance(items, tuple) or not items:
        return spec
    return replace(
        spec, options={**spec.options, _VECTORS: tuple(_vector(str(item), data, requested) for item in items)}
    )


def _vector(item: str, data: UserData, requested: Collection[str]) -> str:
    """With the path of its file. An operator may name one anywhere. Raises LoadFailed."""
    try:
        name, scale = vector_parts(item)
    except ValueError:
        raise LoadFailed(
            f"--control-vector {item[:60]!a} is not of the form FILE or FILE=SCALE.", param=f"args.{_VECTORS}"
        ) from None
    is_requested = _VECTORS in requested
    name = _checked(name, _VECTORS) if is_requested else str(Path(name).expanduser())
    for folder in (data.loras,) if is_requested else (data.loras, Path.cwd()):
        for path in (folder / name, folder / (name + _GGUF)):
            if path.is_file():
                return f"{path.absolute()}={scale}"
    raise LoadFailed(
        f"There is no control vector {name[:80]!a} in the folder of the adapters.", param=f"args.{_VECTORS}"
    )


def _checked(name: str, option: str = _PROJECTOR) -> str:
    """Raises LoadFailed for one that would lead out of the folder that it is looked for in."""
    path = PureWindowsPath(name)
    if path.is_absolute() or path.drive or path.root or ".." in path.parts:
        raise LoadFailed(
            f"{option} has to be the name of a file, without the folder that it is in.", param=f"args.{option}"
        )
    return name


def _with_projector(host: int, gpus: tuple[int, ...], options: LlamaCppOptions) -> tuple[int, tuple[int, ...], int]:
    """What is taken of main memory and of each card with the projector, which is on the first card if the model uses any,
    and what the projector itself takes."""
    if options.projector is None:
        return host, gpus, 0
    size = projector_bytes(options.projector)
    if gpus and options.gpu_layers:
        return host, (gpus[0] + size, *gpus[1:]), size
    return host + size, gpus, size
