"""The real models of the tests: their names, and where they are."""

import os
from pathlib import Path

import pytest

SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"
QWEN = "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
GEMMA = "gemma-3-270m-q4_k_m.gguf"

_DEFAULT_FOLDER = Path(__file__).resolve().parents[1] / "installer_files" / "test_models"


def model_path(name: str) -> Path:
    folder = Path(os.environ.get("TEST_MODELS_DIR", _DEFAULT_FOLDER))
    path = folder / name
    if not path.is_file():
        pytest.fail(
            f"{name} is not in {folder}. Run `python3 one_click.py test`: it gets the models and runs the tests."
        )
    return path
