"""What the Transformers loader refuses before weights are read, and which folders it takes."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modules.backends.registry import BACKENDS
from modules.engine.types import LoadSpec, ModelKind
from modules.errors import LoadFailed
from modules.settings.flags import parse
from tests.backends.loading import transformers_spec
from tests.backends.transformers.folders import tiny_folder


class Trap:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("models") / "tiny")


def changed(folder: Path, target: Path, **config: object) -> Path:
    """A copy of `folder` with other entries in its config.json."""
    target.mkdir()
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    stated = json.loads((target / "config.json").read_text("utf-8"))
    (target / "config.json").write_text(json.dumps(stated | config), encoding="utf-8")
    return target


def refusal(spec: LoadSpec) -> str:
    loader = BACKENDS.loader_for("Transformers")
    with pytest.raises(LoadFailed) as refused:
        _ = (loader.probe(spec), loader.load(spec, lambda fraction: None))
    return refused.value.message


@pytest.mark.parametrize("spelling", ["transformers", "Transformers", "TRANSFORMERS"])
def test_the_loader_is_chosen_in_any_case(spelling: str) -> None:
    assert parse(["--loader", spelling], {}).loader == "Transformers"


def test_folders_are_taken_by_themselves(folder: Path, tmp_path: Path) -> None:
    assert BACKENDS.reader_of(folder).name == "Transformers"
    assert BACKENDS.kind_of(folder) is ModelKind.CHAT
    for name, config in (
        ("exl3", {"quantization_config": {"quant_method": "exl3"}}),
        ("bert", {"architectures": ["B"]}),
    ):
        other = changed(folder, tmp_path / name, **config)
        assert not BACKENDS.named("Transformers").reads(other)
    (changed(folder, tmp_path / "embeds") / "modules.json").write_text("[]", encoding="utf-8")
    assert not BACKENDS.named("Transformers").reads(tmp_path / "embeds")


def test_pickles_are_never_read(folder: Path, tmp_path: Path) -> None:
    other = changed(folder, tmp_path / "pickled")
    (other / "model.safetensors").unlink()
    (other / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(tmp_path / "ran")))
    assert not BACKENDS.named("Transformers").reads(other)
    assert "its weights are pickles" in refusal(transformers_spec(other))
    assert not (tmp_path / "ran").exists()


def test_code_is_run_only_with_the_flag(folder: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    other = changed(
        folder, tmp_path / "code", model_type="odd", auto_map={"AutoConfig": "odd.Odd", "AutoModelForCausalLM": "odd.M"}
    )
    (other / "odd.py").write_text(f"import pathlib\npathlib.Path({str(ran)!r}).touch()\nraise ValueError('odd')\n")
    assert "--trust-remote-code" in refusal(transformers_spec(other))
    assert not ran.exists()
    refusal(replace(transformers_spec(other), with_code=True))
    assert ran.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"load_in_4bit": True, "load_in_8bit": True}, "exclude each other"),
        ({"attn_implementation": "flash_attention_2"}, "--attn-implementation auto"),
        ({"attn_implementation": "magic"}, "Choose one of: auto, sdpa, eager, flash_attention_2"),
        ({"nonsense": 1}, "nonsense is no option"),
    ],
    ids=["both", "flash", "unknown", "no option"],
)
def test_options_that_cannot_be(folder: Path, changes: dict[str, Any], words: str) -> None:
    assert words in refusal(
        transformers_spec(folder, **changes) if "nonsense" not in changes else _with_nonsense(folder)
    )


def _with_nonsense(folder: Path) -> LoadSpec:
    return replace(transformers_spec(folder), options={"nonsense": 1})


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"\xff" * 100])
def test_damaged_and_missing_files_are_named(folder: Path, tmp_path: Path, name: str, content: bytes | None) -> None:
    other = changed(folder, tmp_path / "damaged")
    (other / name).unlink()
    if content is not None:
        (other / name).write_bytes(content)
    assert name in refusal(transformers_spec(other)) or "no safetensors files" in refusal(transformers_spec(other))


def test_a_file_that_is_cut_off_is_found_by_its_header(folder: Path, tmp_path: Path) -> None:
    other = changed(folder, tmp_path / "cut")
    whole = (other / "model.safetensors").read_bytes()
    (other / "model.safetensors").write_bytes(whole[:-1000])
    assert "model.safetensors is damaged or incomplete" in refusal(transformers_spec(other))
