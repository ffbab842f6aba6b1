"""What cannot draft is refused by the probe, in a sentence, before any weights are read."""

import ctypes
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import llama_cpp.llama_cpp
import pytest

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.backends.llamacpp.speculation.compatibility import can_speculate
from modules.engine.types import DraftSpec, LoadSpec
from modules.errors import LoadFailed
from tests.backends.llamacpp.speculation.draft_file import write_bad_draft
from tests.backends.loading import llama_spec
from tests.bert_file import write_bert
from tests.model_files import GEMMA, QWEN, SMOLLM2

pytestmark = pytest.mark.model


def probe(loader: LlamaCppLoader, main: Path, draft: Path) -> None:
    card = loader.probe(llama_spec(main, draft=DraftSpec(name=draft.name, path=str(draft))))
    assert card.draft == draft.name


@pytest.mark.parametrize(("main", "draft"), [(SMOLLM2, GEMMA), (QWEN, SMOLLM2), (SMOLLM2, QWEN)])
def test_another_vocabulary(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], main: str, draft: str
) -> None:
    with pytest.raises(LoadFailed, match=r"cannot draft for .* vocabulary has .* same family") as refused:
        probe(llama_cpp, model_file(main), model_file(draft))
    assert draft in refused.value.message
    assert str(model_file(draft).parent) not in refused.value.message


def test_one_token_that_means_something_else(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path
) -> None:
    draft = tmp_path / "other.gguf"
    write_bad_draft(draft, model_file(SMOLLM2), other_token=49_000)
    with pytest.raises(LoadFailed, match="token 49000 of its vocabulary is another one"):
        probe(llama_cpp, model_file(SMOLLM2), draft)


@pytest.mark.parametrize("more", [0, 100])
def test_a_vocabulary_that_is_longer_by_padding_drafts(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path, more: int
) -> None:
    draft = tmp_path / "padded.gguf"
    write_bad_draft(draft, model_file(SMOLLM2), more_tokens=more)
    probe(llama_cpp, model_file(SMOLLM2), draft)


def test_an_encoder(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path) -> None:
    write_bert(tmp_path / "bert.gguf")
    with pytest.raises(LoadFailed, match="does not write text"):
        probe(llama_cpp, model_file(SMOLLM2), tmp_path / "bert.gguf")


def test_what_is_no_model(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path) -> None:
    (tmp_path / "text.gguf").write_text("hello")
    with pytest.raises(LoadFailed, match=r"text\.gguf is not a GGUF file"):
        probe(llama_cpp, model_file(SMOLLM2), tmp_path / "text.gguf")


def test_windows_that_forget(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path]) -> None:
    gemma = model_file(GEMMA)
    spec = llama_spec(gemma, draft=DraftSpec(name=GEMMA, path=str(gemma)), swa_full=False)
    with pytest.raises(LoadFailed, match="full cache of sliding windows"):
        llama_cpp.probe(spec)


def test_heads_that_predict_several_tokens_cannot_be_used_through_c_functions() -> None:
    """Hidden states, which such heads start from, are given out by C++ functions alone. Once this fails, they are a source
    of drafts."""
    library = ctypes.CDLL(str(next(Path(llama_cpp.llama_cpp.__file__).parent.glob("lib/*llama.*"))))
    assert hasattr(library, "llama_model_n_layer_nextn")
    for name in ("llama_set_embeddings_nextn", "llama_get_embeddings_nextn", "llama_get_embeddings_nextn_ith"):
        assert not hasattr(library, name)


def test_a_cache_that_cannot_take_back_tokens_is_named(caplog: pytest.LogCaptureFixture) -> None:
    spec = LoadSpec(name="mamba.gguf", path="/mamba.gguf", loader="llama.cpp", ngram_tokens=32)
    caplog.set_level(logging.INFO)
    assert can_speculate(spec, can_cut=True)
    assert not caplog.records
    assert not can_speculate(spec, can_cut=False)
    assert "mamba.gguf: no tokens are drafted" in caplog.text
    assert not can_speculate(replace(spec, ngram_tokens=0), can_cut=True)
