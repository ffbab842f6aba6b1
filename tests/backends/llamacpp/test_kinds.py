"""What a GGUF file is for, by the beginning of its header."""

from pathlib import Path

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.backends.llamacpp.gguf_header import kind_of_gguf
from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.types import Generation, Job, LoadSpec, ModelKind, Prompt
from modules.errors import LoadFailed
from tests.bert_file import CLS, SEP, write_bert
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


def rank_spec(path: Path, kind: ModelKind = ModelKind.RERANK) -> LoadSpec:
    return LoadSpec(name=path.name, path=str(path), loader="llama.cpp", kind=kind)


def test_a_kind_that_nothing_runs_is_refused_by_probe(tmp_path: Path, llama_cpp: LlamaCppLoader) -> None:
    write_bert(tmp_path / "image.gguf")
    with pytest.raises(LoadFailed, match="is a image model"):
        llama_cpp.probe(rank_spec(tmp_path / "image.gguf", ModelKind.IMAGE))


def test_a_rerank_model_without_a_head_is_refused_by_probe(tmp_path: Path, llama_cpp: LlamaCppLoader) -> None:
    write_bert(tmp_path / "rank.gguf", pooling=gguf.PoolingType.RANK)
    with pytest.raises(LoadFailed, match="lacks the tensors"):
        llama_cpp.probe(rank_spec(tmp_path / "rank.gguf"))


def test_a_rerank_model_scores_a_pair_alone_as_in_company(tmp_path: Path, llama_cpp: LlamaCppLoader) -> None:
    path = tmp_path / "rank.gguf"
    write_bert(path, pooling=gguf.PoolingType.RANK, has_head=True)
    assert kind_of_gguf(path) is ModelKind.RERANK
    backend = llama_cpp.load(rank_spec(path), lambda _fraction: None)
    begin, middle, end = backend.card.pair_frame
    assert (begin, middle[-1:], end) == ((CLS,), (SEP,), (SEP,))

    def scores(*documents: tuple[int, ...]) -> list[float]:
        for number, document in enumerate(documents):
            prompt = Prompt((*begin, 7, 8, *middle, *document, *end))
            backend.admit(Job(number, Generation(prompt=prompt, embedding=0)), None)
        found = {output.job_id: np.frombuffer(output.embedding or b"", "<f4") for output in backend.step()}
        return [float(found[number][0]) for number in range(len(documents))]

    given = [(9, 10, 11), (12,), (13, 14, 15, 16, 17)]
    together = scores(*given)
    assert np.allclose(together, [scores(each)[0] for each in given], atol=1e-5)
    assert len({round(score, 4) for score in together}) == len(given)
    backend.close()
