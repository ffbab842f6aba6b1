"""What a child sets before it imports libraries that run on PyTorch."""

import os
import sys
from importlib import import_module
from typing import Final, cast

# Measured: PyTorch and Transformers with the vocabularies of 49,152 to 262,144 tokens, 240 to 410 MiB.
PROBE_BYTES: Final = 448 * 2**20
_ENVIRONMENT: Final = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


def prepare_pytorch(threads: int) -> None:
    """To be called before torch is imported: no network, no telemetry, so many threads."""
    os.environ.update(_ENVIRONMENT)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    hide_broken_torchvision()


def hide_broken_torchvision() -> None:
    """One that was built for another PyTorch (CUDA's beside the CPU's) cannot be imported, and the libraries that find it
    fail with it, though they can do without."""
    try:
        import_module("torchvision")
    except (ImportError, OSError, RuntimeError):
        cast("dict[str, object]", sys.modules)["torchvision"] = None
