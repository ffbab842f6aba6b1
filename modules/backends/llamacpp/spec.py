"""The llama.cpp backend: GGUF files, on CPUs and graphics cards."""

import re
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final

from typing_extensions import override

from modules.backends.base import BackendSpec, MemoryEstimate, read_options
from modules.backends.llamacpp.gguf_header import kind_of_gguf, read_gguf
from modules.backends.llamacpp.memory.estimate import can_use_gpu, embedder_bytes, estimate, placed_shape
from modules.backends.llamacpp.memory.fit import described, fit
from modules.backends.llamacpp.options import LlamaCppOptions
from modules.engine.types import LoadSpec, ModelKind
from modules.settings.options import SettingsGroup

_GGUF: Final = ".gguf"
# The vision part of a model, which cannot be loaded alone.
_PROJECTOR: Final = "mmproj"
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
        return name.endswith(_GGUF) and _PROJECTOR not in name and not _LATER_PART.search(name)

    @override
    def reads_adapter(self, path: Path) -> bool:
        return path.name.lower().endswith(_GGUF)

    @override
    def kind_of(self, path: Path) -> ModelKind:
        return kind_of_gguf(path) if path.is_file() else ModelKind.CHAT

    @override
    def can_use_gpu(self) -> bool:
        return can_use_gpu()

    @override
    def estimate(self, spec: LoadSpec, gpus: tuple[int, ...] = ()) -> MemoryEstimate:
        if spec.kind is not ModelKind.CHAT:
            return MemoryEstimate(host=embedder_bytes(Path(spec.path), spec))
        cards = (gpus or (0,)) if can_use_gpu() else ()
        found = estimate(Path(spec.path), spec, read_options(LlamaCppOptions, spec), cards)
        return MemoryEstimate(
            host=found.host,
            gpus=found.gpus,
            parts=(("weights", found.weights), ("cache", found.cache), ("buffers", found.buffers)),
            placement=f"{found.gpu_layers} of {found.layers} layers",
        )

    @override
    def fit(self, spec: LoadSpec, host: int, gpus: tuple[int, ...] = ()) -> tuple[LoadSpec, str]:
        options = read_options(LlamaCppOptions, spec)
        if spec.kind is not ModelKind.CHAT or not options.fit:
            return spec, ""
        shape = placed_shape(read_gguf(Path(spec.path)), options)
        found = fit(shape, spec, options, host=host, gpus=gpus if can_use_gpu() else ())
        fitted = replace(spec, context=found.context, options={**spec.options, **found.options})
        return fitted, described(found, layers=len(shape.layers))
