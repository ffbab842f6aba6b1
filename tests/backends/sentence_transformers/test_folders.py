"""Which loader reads a folder of an encoder, and what the one on PyTorch refuses before it imports anything."""

import json
from pathlib import Path

import pytest

from modules.backends.registry import BACKENDS
from modules.backends.sentence_transformers.spec import SentenceTransformers
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import LoadFailed
from modules.settings.values import Settings
from tests.encoder_folder import write_encoder


def changed(path: Path, **values: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | values), "utf-8")


def spec_of(folder: Path, **fields: object) -> LoadSpec:
    return LoadSpec(name=folder.name, path=str(folder), loader="sentence-transformers", **fields)  # type: ignore[arg-type]


def reader(folder: Path, **settings: object) -> str:
    return BACKENDS.reader_of(folder, Settings.model_validate(settings)).name


def test_a_common_architecture_needs_no_pytorch(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "model")
    assert reader(folder) == "ONNX Runtime"
    # What it has no kernels for goes to PyTorch, which has them for every device.
    assert reader(folder, openai_embedding_device="mps") == "sentence-transformers"
    assert reader(folder, openai_embedding_device="cuda:1") == "sentence-transformers"


@pytest.mark.parametrize("labels", [0, 1])
def test_another_architecture_goes_to_pytorch(tmp_path: Path, labels: int) -> None:
    folder = write_encoder(tmp_path / "model", labels=labels)
    changed(folder / "config.json", model_type="modernbert")
    assert reader(folder) == "sentence-transformers"
    assert BACKENDS.kind_of(folder) is (ModelKind.RERANK if labels else ModelKind.EMBEDDING)


def test_a_module_that_the_graph_lacks_goes_to_pytorch(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "model")
    modules = json.loads((folder / "modules.json").read_text("utf-8"))
    modules.append({"path": "3_LayerNorm", "type": "sentence_transformers.models.LayerNorm"})
    (folder / "modules.json").write_text(json.dumps(modules), "utf-8")
    assert reader(folder) == "sentence-transformers"


def test_a_language_model_that_judges_by_its_next_word_is_no_encoder(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "model")
    modules = [{"path": "", "type": "a.Transformer"}, {"path": "1", "type": "sentence_transformers.x.LogitScore"}]
    (folder / "modules.json").write_text(json.dumps(modules), "utf-8")
    changed(folder / "config.json", model_type="qwen3", architectures=["Qwen3ForCausalLM"])
    assert not SentenceTransformers().reads(folder)


def test_the_folder_of_one_module_is_no_model(tmp_path: Path) -> None:
    """As older models have one for the transformer."""
    folder = tmp_path / "model"
    write_encoder(folder / "0_Transformer")
    for name in ("modules.json", "1_Pooling"):
        (folder / "0_Transformer" / name).rename(folder / name)
    modules = json.loads((folder / "modules.json").read_text("utf-8"))
    modules[0]["path"] = "0_Transformer"
    (folder / "modules.json").write_text(json.dumps(modules), "utf-8")
    assert reader(folder) == "ONNX Runtime"
    assert not any(spec.reads(folder / "0_Transformer") for spec in BACKENDS)


def test_pickles_are_refused(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    assert SentenceTransformers().reads(folder)
    with pytest.raises(LoadFailed, match="pickle"):
        SentenceTransformers().loader().probe(spec_of(folder))


def test_code_of_the_folder_runs_only_when_the_operator_allows_it(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "model")
    changed(folder / "config.json", auto_map={"AutoModel": "modeling_own.OwnModel"})
    loader = SentenceTransformers().loader()
    with pytest.raises(LoadFailed, match="--trust-remote-code"):
        loader.probe(spec_of(folder))
    assert loader.probe(spec_of(folder, with_code=True)).embedding_size == 32


def test_its_memory_is_estimated_from_the_files(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path / "model")
    stored = (folder / "model.safetensors").stat().st_size
    plain = SentenceTransformers().estimate(spec_of(folder))
    changed(folder / "config.json", torch_dtype="bfloat16")
    assert SentenceTransformers().estimate(spec_of(folder)).host - plain.host == stored
