"""What the Transformers loader refuses before weights are read, and which folders it takes."""

import json
import pickle
import sys
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modules.backends.registry import BACKENDS
from modules.engine.types import Generation, LoadSpec, ModelKind, Prompt
from modules.errors import LoadFailed
from modules.settings.flags import parse
from tests.backends.loading import transformers_engine, transformers_spec
from tests.backends.transformers.folders import tiny_folder
from tests.streams import whole


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


@pytest.mark.parametrize(
    "config",
    [
        {"model_type": "paligemma", "architectures": ["PaliGemmaForConditionalGeneration"], "vision_config": {}},
        {"use_bidirectional_attention": True},
    ],
    ids=["PaliGemma", "stated"],
)
def test_prompts_that_look_ahead_are_refused(folder: Path, tmp_path: Path, config: dict[str, Any]) -> None:
    other = changed(folder, tmp_path / "ahead", **config)
    assert "looks at those after it, too" in refusal(transformers_spec(other))


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


GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": False}
COMPRESSED = {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {}}


@pytest.mark.parametrize(
    ("stated", "hidden", "words"),
    [
        (GPTQ, ("optimum", "gptqmodel"), "gptq, for which the packages are missing: optimum, gptqmodel"),
        ({"quant_method": "awq", "bits": 4}, ("gptqmodel",), "awq, for which the package is missing: gptqmodel"),
        (COMPRESSED, ("compressed_tensors",), "the package is missing: compressed_tensors"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, ("bitsandbytes",), "missing: bitsandbytes"),
        ({"load_in_8bit": True}, ("bitsandbytes",), "missing: bitsandbytes"),
        ({"quant_method": "fbgemm_fp8"}, ("fbgemm_gpu",), "fbgemm_fp8, which does not work here"),
        ({"quant_method": "magic"}, (), "'magic', a format that this version of Transformers does not know"),
        ({"bits": 4}, (), "'unknown', a format that this version of Transformers does not know"),
    ],
    ids=["gptq", "awq", "compressed-tensors", "bitsandbytes", "older", "fbgemm", "unknown", "unnamed"],
)
def test_quantized_folders_say_what_they_lack(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stated: dict[str, Any],
    hidden: tuple[str, ...],
    words: str,
) -> None:
    for package in hidden:
        monkeypatch.setitem(sys.modules, package, None)
    said = refusal(transformers_spec(changed(folder, tmp_path / "quantized", quantization_config=stated)))
    assert words in said
    assert "a version of the model that is not quantized" in said


@pytest.mark.parametrize("flag", ["load_in_4bit", "load_in_8bit"])
def test_what_bitsandbytes_needs_is_told(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    spec = transformers_spec(folder, **{flag: True})
    shown = f"--{flag.replace('_', '-')}"
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    assert f"{shown} needs the package bitsandbytes" in refusal(spec)
    # There, as far as can be seen, and not imported before the graphics card is looked for.
    package = ModuleType("bitsandbytes")
    package.__spec__ = ModuleSpec("bitsandbytes", None)
    monkeypatch.setitem(sys.modules, "bitsandbytes", package)
    assert f"{shown} needs a graphics card with CUDA, and --cpu is set" in refusal(spec)
    stored = changed(folder, tmp_path / "stored", quantization_config={"quant_method": "bitsandbytes", flag: True})
    assert "needs a graphics card with CUDA" in refusal(transformers_spec(stored))
    gptq = changed(folder, tmp_path / "gptq", quantization_config=GPTQ)
    assert f"quantized with 'gptq' already. Leave {shown} out" in refusal(transformers_spec(gptq, **{flag: True}))


@pytest.mark.skipif(torch.cuda.is_available(), reason="on a graphics card it is computed as it is")
async def test_fp8_is_computed_on_a_cpu_as_ordinary_numbers(folder: Path, tmp_path: Path) -> None:
    """Nearly as before it was rounded, and the estimate counts what it becomes."""
    other = changed(
        folder,
        tmp_path / "fp8",
        quantization_config={
            "quant_method": "fp8",
            "activation_scheme": "dynamic",
            "weight_block_size": [128, 128],
            "modules_to_not_convert": ["lm_head"],
        },
    )
    tensors: dict[str, torch.Tensor] = {}
    for name, weights in load_file(folder / "model.safetensors").items():
        tensors[name] = weights
        if name.endswith("_proj.weight"):
            scale = weights.abs().max() / torch.finfo(torch.float8_e4m3fn).max
            tensors[name] = (weights / scale).to(torch.float8_e4m3fn)
            tensors[f"{name}_scale_inv"] = scale.reshape(1, 1)
    save_file(tensors, other / "model.safetensors", metadata={"format": "pt"})
    scored = []
    for each in (folder, other):
        async with transformers_engine(transformers_spec(each)) as engine:
            reply = await whole(engine, Generation(prompt=Prompt((40, 41, 42)), max_tokens=0, prompt_logprobs=0))
        assert reply.prompt_logprobs is not None
        scored.append([entry.logprob for entry in reply.prompt_logprobs if entry is not None])
    assert scored[1] == pytest.approx(scored[0], abs=1.0)
    plain, rounded = (BACKENDS.named("Transformers").estimate(transformers_spec(each)) for each in (folder, other))
    assert rounded.host == pytest.approx(plain.host, rel=0.001)


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
