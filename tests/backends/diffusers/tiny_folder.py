"""A tiny diffusion pipeline as a folder, written without PyTorch: random weights, made in milliseconds."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from tests.golden.make_tiny_pipeline import GOLDEN


def write_pipeline(folder: Path) -> Path:
    draw = np.random.default_rng(5)
    for name, content in json.loads(GOLDEN.read_text("utf-8")).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".safetensors":
            # Files of Transformers say whose they are.
            save_file({key: _weights(draw, shape) for key, shape in content.items()}, path, {"format": "pt"})
        else:
            path.write_text(json.dumps(content), "utf-8")
    return folder


def _weights(draw: np.random.Generator, shape: list[int]) -> Any:
    """Those of norms and biases stay near 1, others so small that values keep their size from layer to layer."""
    if len(shape) < 2:
        return draw.normal(1, 0.1, shape).astype(np.float32)
    return draw.normal(0, np.prod(shape[1:]) ** -0.5, shape).astype(np.float32)
