"""Load options that can be known to be wrong before the weights are read."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

from modules.backends.llamacpp.gguf_header import read_gguf
from modules.backends.llamacpp.options import CACHE_TYPES, LlamaCppOptions, override_parts
from modules.engine.types import Adapter, LoadSpec
from modules.errors import LoadFailed

_ADAPTER: Final = "adapter"
_WORKER: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):\d{1,5}")


@dataclass(frozen=True, slots=True)
class Facts:
    """`head_sizes` are those of keys and values, as far as the file states them; `has_gpu` says whether llama.cpp can
    use a graphics card here, `fixed_cells` why cells of the model's cache cannot be moved, "" where they can."""

    architecture: str
    head_sizes: tuple[int, ...]
    has_gpu: bool
    fixed_cells: str = ""


def check_options(spec: LoadSpec, options: LlamaCppOptions, facts: Facts) -> None:
    """Raises LoadFailed, in a sentence that says what to choose instead."""
    refusals = (_of_cache(options, facts), _of_split(options, facts), _of_reuse(options, facts))
    for refusal in (*chain.from_iterable(refusals), *_of_adapters(spec, facts)):
        raise LoadFailed(f"{spec.name} cannot be loaded like this: {refusal}")


def check_places(spec: LoadSpec, options: LlamaCppOptions) -> None:
    """Whether places are written as they should be. Raises LoadFailed."""
    for refusal in _of_places(options):
        raise LoadFailed(f"{spec.name} cannot be loaded like this: {refusal}")


def _of_cache(options: LlamaCppOptions, facts: Facts) -> Iterator[str]:
    chosen = CACHE_TYPES[options.cache_type]
    if not chosen.is_quantized:
        return
    if options.flash_attn == "off":
        yield (
            f"--cache-type {options.cache_type} needs flash attention. Leave out --flash-attn off, or choose "
            "--cache-type fp16."
        )
    if any(size % chosen.block for size in facts.head_sizes):
        yield (
            f"its attention heads do not divide into the blocks of --cache-type {options.cache_type}. Choose "
            "--cache-type fp16."
        )


def _of_reuse(options: LlamaCppOptions, facts: Facts) -> Iterator[str]:
    if options.cache_reuse and facts.fixed_cells:
        yield f"--cache-reuse moves cells of the cache, which {facts.fixed_cells}. Leave it out."


def _of_split(options: LlamaCppOptions, facts: Facts) -> Iterator[str]:
    if options.split_mode != "tensor":
        return
    if not (facts.has_gpu and options.gpu_layers):
        yield "--split-mode tensor needs a graphics card that llama.cpp can use. Choose --split-mode layer."
    elif options.flash_attn == "off":
        yield "--split-mode tensor needs flash attention. Leave out --flash-attn off, or choose --split-mode layer."


def _of_places(options: LlamaCppOptions) -> Iterator[str]:
    for item in options.override_tensor:
        if not all(override_parts(item)):
            yield f"--override-tensor {item[:40]!a} is not of the form PATTERN=BUFFER."
    if len(options.control_vector_layers) not in {0, 2} or any(each % 1 for each in options.control_vector_layers):
        yield "--control-vector-layers has to be the first and the last layer, such as 10,20."
    for worker in options.rpc:
        if not _WORKER.fullmatch(worker):
            yield f"--rpc {worker[:60]!a} is not of the form host:port."


def _of_adapters(spec: LoadSpec, facts: Facts) -> Iterator[str]:
    for adapter in spec.adapters:
        yield from adapter_refusals(adapter, facts.architecture)


def adapter_refusals(adapter: Adapter, architecture: str) -> Iterator[str]:
    """Why it cannot be applied to a model of `architecture`."""
    if Path(adapter.path).is_dir():
        yield (
            f"the adapter {adapter.name} is not in llama.cpp's format. Convert its folder to a GGUF file with "
            "llama.cpp's convert_lora_to_gguf.py and put that file into the folder of the adapters."
        )
        return
    header = read_gguf(Path(adapter.path))
    if header.metadata.get("general.type") != _ADAPTER:
        yield f"{adapter.name} is no adapter."
    elif header.architecture != architecture:
        yield f"the adapter {adapter.name} is made for another model ({header.architecture[:40]!a})."
