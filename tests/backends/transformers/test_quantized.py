"""Weights of a few bits, for real: quantized while they are loaded, and stored like that."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from modules.backends.registry import BACKENDS
from modules.backends.transformers.library import transformers
from modules.engine.types import Generation, LoadSpec, Prompt
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
