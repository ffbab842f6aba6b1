"""Weights of a few bits, for real: quantized while they are loaded, and stored like that."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from modules.backends.registry import BACKENDS
from modules.backends.transformers.library import transformers
from modules.engine.types import Generation, LoadSpec, Prompt
from modules.errors import LoadFailed
from modules.sampling import Sampling
from tests.backends.loading import transformers_engine, transformers_spec
from tests.backends.transformers.folders import LLAMA, tiny_folder
from tests.streams import whole

pytestmark = [
    pytest.mark.extended,
    pytest.mark.skipif(torch.cuda.is_available(), reason="bitsandbytes computes otherwise on a graphics card"),
]
COUNT = 8
PROMPT = tuple(range(40, 56))
# Layers that are most of the model.
WIDE = {**LLAMA, "hidden_size": 256, "intermediate_size": 512, "head_dim": 64}
WAYS = {
    "load_in_4bit": ("Linear4bit", {"bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": torch.float32}),
    "load_in_8bit": ("Linear8bitLt", {}),
}


async def said(spec: LoadSpec, layer: str) -> tuple[list[int], int]:
    """A greedy reply, and the bytes of the weights."""
    async with transformers_engine(spec) as engine:
        model = engine._stepper._backend._adapters._model  # type: ignore[attr-defined]
        assert layer in {type(each).__name__ for each in model.modules()}
        taken = sum(each.nbytes for each in model.parameters())
        wanted = Generation(prompt=Prompt(PROMPT), sampling=Sampling(temperature=0), max_tokens=COUNT, ignore_eos=True)
        return list((await whole(engine, wanted)).tokens), taken


def generated(model: Any, prompt: Sequence[int]) -> list[int]:
    ids = torch.tensor([list(prompt)])
    with torch.inference_mode():
        made = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=COUNT,
            do_sample=False,
            suppress_tokens=[model.generation_config.eos_token_id],
        )
    return [int(token) for token in made[0, len(prompt) :]]


def weights(spec: LoadSpec) -> int:
    return dict(BACKENDS.named("Transformers").estimate(spec).parts)["weights"]


@pytest.mark.parametrize("flag", list(WAYS))
async def test_bitsandbytes_on_a_cpu(tmp_path: Path, flag: str) -> None:
    layer, fields = WAYS[flag]
    folder, stored = tiny_folder(tmp_path / "plain", WIDE), tmp_path / "stored"
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder,
        quantization_config=transformers.BitsAndBytesConfig(**{flag: True}, **fields),
        dtype=torch.float32,
        device_map={"": "cpu"},
    ).eval()
    # Before anything is computed, which packs them for this processor.
    model.save_pretrained(stored)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (stored / name).write_bytes((folder / name).read_bytes())
    expected = generated(model, PROMPT)
    loading, loaded = transformers_spec(folder, **{flag: True}), transformers_spec(stored)
    for spec in (loading, loaded):
        reply, taken = await said(spec, layer)
        assert reply == expected
        # The scales of 4 bits are none of the parameters.
        assert taken <= weights(spec) <= taken * 1.2
    assert weights(loading) < weights(transformers_spec(folder)) / 2


def test_widths_that_a_cpu_cannot_pack_are_refused_before_the_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bitsandbytes.functional.has_avx512bf16", lambda: True)
    folder = tiny_folder(tmp_path / "narrow", {**LLAMA, "hidden_size": 48, "head_dim": 12})
    with pytest.raises(LoadFailed, match=r"a multiple of 64, and .* has 48. Choose --load-in-8bit"):
        BACKENDS.loader_for("Transformers").probe(transformers_spec(folder, load_in_4bit=True))


def compressed(folder: Path, target: Path, preset: str, layout: str) -> Path:
    """What llm-compressor and its like write, without calibration."""
    # Imported late: only these tests need it.
    from compressed_tensors import quantization as q  # noqa: PLC0415
    from compressed_tensors.compressors import ModelCompressor  # noqa: PLC0415
    from compressed_tensors.quantization.utils import calculate_qparams  # noqa: PLC0415

    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    config = q.QuantizationConfig(
        config_groups={"all": q.preset_name_to_scheme(preset, ["Linear"])}, ignore=["lm_head"], format=layout
    )
    q.apply_quantization_config(model, config)
    for each in model.modules():
        if hasattr(each, "weight_scale"):
            width = each.quantization_scheme.weights.group_size or each.weight.shape[1]
            groups = each.weight.detach().reshape(len(each.weight), -1, width)
            scale, _ = calculate_qparams(groups.amin(-1), groups.amax(-1), each.quantization_scheme.weights)
            each.weight_scale.data = scale.reshape(each.weight_scale.shape)
    ModelCompressor.from_pretrained_model(model).compress_model(model)
    target.mkdir()
    for file in folder.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    tensors = {name: each.contiguous() for name, each in model.state_dict().items()}
    save_file(tensors, target / "model.safetensors", metadata={"format": "pt"})
    stated = json.loads((target / "config.json").read_text("utf-8"))
    said = {**json.loads(config.model_dump_json(exclude_none=True)), "quantization_status": "compressed"}
    stated["quantization_config"] = {**said, "quant_method": "compressed-tensors"}
    (target / "config.json").write_text(json.dumps(stated), encoding="utf-8")
    return target


@pytest.mark.parametrize(
    ("preset", "layout"),
    [("W4A16", "pack-quantized"), ("FP8_DYNAMIC", "float-quantized")],
)
async def test_compressed_tensors_on_a_cpu(tmp_path: Path, preset: str, layout: str) -> None:
    folder = compressed(tiny_folder(tmp_path / "plain", WIDE), tmp_path / "compressed", preset, layout)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    spec = transformers_spec(folder)
    reply, taken = await said(spec, "Linear")
    assert reply == generated(model, PROMPT)
    # They are ordinary numbers after the first token, which the estimate knows.
    assert taken <= weights(spec) <= taken * 1.05
