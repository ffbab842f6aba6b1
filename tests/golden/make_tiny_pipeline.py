"""Writes tiny_pipeline.json: the configuration and the shapes of the weights of a tiny diffusion pipeline.

Run it with `python -m tests.golden.make_tiny_pipeline` after a change of diffusers' layout; it needs PyTorch. The daily test
writes the folder from it without.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from safetensors import safe_open

from modules.backends.pytorch import prepare_pytorch

GOLDEN = Path(__file__).with_name("tiny_pipeline.json")


def described(folder: Path) -> dict[str, Any]:
    """By path: JSON files as they are, and the shape of each tensor of the others."""
    found: dict[str, Any] = {}
    for path in sorted(file for file in folder.rglob("*") if file.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".safetensors":
            with safe_open(path, "np") as tensors:
                found[name] = {key: tensors.get_slice(key).get_shape() for key in tensors.keys()}  # noqa: SIM118 - no mapping
        else:
            found[name] = json.loads(path.read_text("utf-8"))
    return found


def main() -> None:
    prepare_pytorch(1)
    from tests.backends.diffusers.tiny_pipelines import write_sd  # noqa: PLC0415 - after PyTorch is prepared

    with tempfile.TemporaryDirectory() as folder:
        write_sd(Path(folder) / "tiny-sd")
        GOLDEN.write_text(json.dumps(described(Path(folder) / "tiny-sd")) + "\n", "utf-8")


if __name__ == "__main__":
    main()
