"""The real models of the tests: their names, and where they are."""

import os
from pathlib import Path

import pytest

SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"
QWEN = "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
GEMMA = "gemma-3-270m-q4_k_m.gguf"
# Folders: 54 voices, and a multilingual transcriber.
KOKORO = "onnx-community_Kokoro-82M-v1.0-ONNX"
WHISPER_BASE = "Systran_faster-whisper-base"

_DEFAULT_FOLDER = Path(__file__).resolve().parents[1] / "installer_files" / "test_models"


def template_files() -> list[Path]:
    """The chat templates of real models that llama-cpp-python's source carries; none where they are not set up."""
    return sorted((_folder() / "chat_templates").glob("*.jinja"))


def model_path(name: str) -> Path:
    path = _folder() / name
    if not path.is_file():
        pytest.fail(
            f"{name} is not in {path.parent}. Run `python3 one_click.py test`: it gets the models and runs the tests."
        )
    return path


def model_folder(name: str) -> Path:
    path = _folder() / name
    if not path.is_dir():
        pytest.fail(
            f"{name} is not in {path.parent}. Run `python3 one_click.py test`: it gets the models and runs the tests."
        )
    return path


def _folder() -> Path:
    return Path(os.environ.get("TEST_MODELS_DIR", _DEFAULT_FOLDER))
