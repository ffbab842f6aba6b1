"""What a GGUF file is for, by the beginning of its header."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.backends.llamacpp.gguf_header import kind_of_gguf
from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import LoadFailed
from tests.bert_file import write_bert
from tests.gguf_file import write_gguf


@pytest.mark.parametrize(
    ("architecture", "pooling", "kind"),
    [
        ("llama", None, ModelKind.CHAT),
        ("qwen3", 0, ModelKind.CHAT),
        ("qwen3", 3, ModelKind.EMBEDDING),
        ("qwen3", 4, ModelKind.RERANK),
        ("bert", None, ModelKind.EMBEDDING),
        ("bert", 0, ModelKind.EMBEDDING),
        ("bert", 4, ModelKind.RERANK),
        ("nomic-bert-moe", 1, ModelKind.EMBEDDING),
        ("gemma-embedding", None, ModelKind.EMBEDDING),
    ],
)
def test_architecture_and_pooling_tell(tmp_path: Path, architecture: str, pooling: int | None, kind: ModelKind) -> None:
    metadata: dict[str, object] = {"general.architecture": architecture}
    if pooling is not None:
        metadata[f"{architecture}.pooling_type"] = pooling
    metadata["tokenizer.ggml.tokens"] = ["token"] * 20_000
    assert kind_of_gguf(write_gguf(tmp_path / "m.gguf", metadata, {"a": 64})) is kind


@given(content=st.binary(max_size=200), cut=st.integers(0, 4000))
def test_what_cannot_be_read_is_left_to_whoever_loads_it(
    content: bytes, cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "kind.gguf"
    for data in (content, b"GGUF\x03\0\0\0" + content):
        path.write_bytes(data)
        assert kind_of_gguf(path) is ModelKind.CHAT
    write_bert(path)
    path.write_bytes(path.read_bytes()[:cut])
    assert kind_of_gguf(path) in {ModelKind.CHAT, ModelKind.EMBEDDING}
    assert kind_of_gguf(path.with_name("missing.gguf")) is ModelKind.CHAT


def test_a_kind_that_nothing_runs_is_refused_by_probe(tmp_path: Path, llama_cpp: LlamaCppLoader) -> None:
    write_bert(tmp_path / "rank.gguf")
    spec = LoadSpec(name="rank.gguf", path=str(tmp_path / "rank.gguf"), loader="llama.cpp", kind=ModelKind.RERANK)
    with pytest.raises(LoadFailed, match="is a rerank model"):
        llama_cpp.probe(spec)
