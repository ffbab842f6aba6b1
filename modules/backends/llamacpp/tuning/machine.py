"""What a measurement depends on: processor, cores, graphics cards, build of the library."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import llama_cpp
import psutil

from modules.backends.cores import processor_name, usable_cores
from modules.backends.llamacpp.options import LlamaCppOptions
from modules.engine.types import LoadSpec

# How much is kept changes nothing about how fast it is computed, nor do files that are applied beside the model.
_IRRELEVANT: Final = frozenset(
    {"kv_cells", "idle_cells", "fit", "fit_target", "self_test", "mmproj", "gpu_layers_draft"}
)


def logical_cores() -> int:
    """Those that the process may use, each thread of a core counted."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    counted = psutil.cpu_count(logical=True) or 1
    return min(counted, allowed) if allowed else counted


def key_parts(spec: LoadSpec, options: LlamaCppOptions, devices: Iterable[str]) -> Mapping[str, object]:
    """Of the options those that were stated, and that change what is computed, or where."""
    status = Path(spec.path).stat()
    stated = {
        name: value for name, value in options.model_dump(exclude_defaults=True).items() if name not in _IRRELEVANT
    }
    return {
        "model": f"{status.st_size} bytes of {status.st_mtime_ns}",
        "cpu": f"{processor_name()}, {usable_cores()} cores, {logical_cores()} threads",
        "cards": ", ".join(sorted(devices)) or "none",
        "library": f"{llama_cpp.__version__} {_built()} {_features()}",
        "options": ", ".join(f"{name}={value}" for name, value in sorted(stated.items())) or "none",
    }


def _built() -> int:
    """When the library's own files were written; a build in place of another of the same version is another."""
    folder = Path(llama_cpp.__file__).parent / "lib"
    return max((path.stat().st_mtime_ns for path in folder.glob("*") if path.is_file()), default=0)


def _features() -> str:
    said: Any = llama_cpp.llama_print_system_info()
    return str(said.decode("utf-8", "replace")).strip()
