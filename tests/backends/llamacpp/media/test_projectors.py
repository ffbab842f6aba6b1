"""Which projectors are refused, and why, before a model is given up for them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.errors import LoadFailed
from tests.backends.loading import llama_spec
from tests.model_files import QWEN, SMOLLM2
from tests.projectors import write_random_projector

pytestmark = pytest.mark.model


def test_a_projector_without_its_tokens_is_refused(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path
) -> None:
    """llama.cpp itself would end the process at the first picture."""
    crashing = write_random_projector(tmp_path / "mmproj-crash.gguf", "idefics3", width=576)
    with pytest.raises(LoadFailed, match="needs tokens around pictures that the model does not have"):
        llama_cpp.probe(llama_spec(model_file(SMOLLM2), mmproj=str(crashing)))


def test_a_projector_of_another_width_is_refused(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path
) -> None:
    projector = write_random_projector(tmp_path / "mmproj-other.gguf", "janus_pro", width=576)
    with pytest.raises(LoadFailed, match=r"takes 576 numbers for each token and not 896"):
        llama_cpp.probe(llama_spec(model_file(QWEN), mmproj=str(projector)))


def test_a_projector_of_tomorrow_needs_a_newer_library(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path
) -> None:
    unknown = write_random_projector(tmp_path / "mmproj-x.gguf", "tomorrow", width=576)
    with pytest.raises(LoadFailed, match=r"'tomorrow'.*newer llama.cpp is needed") as refused:
        llama_cpp.probe(llama_spec(model_file(SMOLLM2), mmproj=str(unknown)))
    assert str(tmp_path) not in refused.value.message


def test_a_model_is_no_projector(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path]) -> None:
    with pytest.raises(LoadFailed, match="is no projector"):
        llama_cpp.probe(llama_spec(model_file(SMOLLM2), mmproj=str(model_file(SMOLLM2))))
