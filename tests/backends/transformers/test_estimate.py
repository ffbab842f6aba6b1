"""What a folder is estimated to take, against what its process takes."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from modules.backends.hub.cache_size import token_numbers
from modules.backends.hub_folder import ModelFolder
from modules.backends.registry import BACKENDS
from modules.backends.transformers.attention import SequenceCache
from modules.engine.process import ProcessEngine
from modules.engine.types import Generation, LoadSpec, Prompt
from modules.media.pictures.limits import MOST_PIXELS
from modules.models.gauge import SystemMemory
from modules.sampling import Sampling
from modules.settings.values import Settings
from tests.backends.loading import transformers_engine, transformers_spec
from tests.backends.transformers.folders import GEMMA2, GPT2, HYBRID, LLAMA, tiny_folder
from tests.streams import whole

MIB = 2**20
LATENT = {
    **{name: value for name, value in LLAMA.items() if name not in {"head_dim", "num_key_value_heads"}},
    "model_type": "deepseek_v3",
    "num_key_value_heads": 4,
    "q_lora_rank": 32,
    "kv_lora_rank": 32,
    "qk_nope_head_dim": 16,
    "qk_rope_head_dim": 8,
    "v_head_dim": 12,
    "first_k_dense_replace": 3,
    "n_routed_experts": 4,
    "n_group": 1,
    "topk_group": 1,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
}
# Layers that are wide enough for weights and cache to be most of what is taken.
WIDE = {
    "model_type": "llama",
    "hidden_size": 1024,
    "intermediate_size": 2816,
    "num_hidden_layers": 8,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "max_position_embeddings": 4096,
}


@asynccontextmanager
async def running(spec: LoadSpec) -> AsyncIterator[ProcessEngine]:
    engine = await ProcessEngine.probe(spec)
    try:
        await engine.load(lambda fraction: None)
        yield engine
    finally:
        await engine.aclose()


async def taken(spec: LoadSpec) -> tuple[int, int]:
    """Bytes after the load, and once the cache is full. Libraries count whole, whoever runs them as well."""
    async with running(spec) as engine:
        process = psutil.Process(engine.pid)
        loaded = process.memory_info().rss
        prompt = Prompt(tuple(40 + at % 50 for at in range(engine.card.context - 2)))
        await whole(engine, Generation(prompt=prompt, sampling=Sampling(temperature=0), max_tokens=2, ignore_eos=True))
        full = process.memory_info().rss
        assert engine.card.growth_bytes == dict(BACKENDS.named("Transformers").estimate(spec).parts)["cache"]
    return loaded, full


@pytest.mark.parametrize(
    "config", [LLAMA, GPT2, GEMMA2, LATENT, HYBRID], ids=["llama", "gpt2", "gemma2", "latent", "hybrid"]
)
async def test_the_cache_has_the_size_that_was_estimated(tmp_path: Path, config: dict[str, Any]) -> None:
    folder = tiny_folder(tmp_path / "tiny", config)
    async with transformers_engine(transformers_spec(folder, context=200)) as engine:
        runner = engine._stepper._backend._runner  # type: ignore[attr-defined]
        await whole(engine, Generation(prompt=Prompt((40,) * 100), max_tokens=1))
        (cache,) = runner._caches.values()
        kept = kept_bytes(cache)
    assert kept == 100 * 4 * token_numbers(ModelFolder.read(folder))


def kept_bytes(cache: Any) -> int:
    """Of the keys and values of the tokens that a sequence has, in a cache of either kind."""
    if isinstance(cache, SequenceCache):
        kept = [each[:, : cache.length] for pair in cache._layers.values() for each in pair]
    else:
        layers = [layer for layer in cache.layers if getattr(layer, "keys", None) is not None]
        kept = [each for layer in layers for each in (layer.keys, layer.values)]
    return sum(each.numel() * each.element_size() for each in kept)


def needed(spec: LoadSpec) -> int:
    return SystemMemory(Settings()).need(spec).host


async def test_a_tiny_model_takes_what_was_estimated(tmp_path: Path) -> None:
    spec = transformers_spec(tiny_folder(tmp_path / "tiny"))
    assert needed(spec) == pytest.approx((await taken(spec))[1], rel=0.1)


@pytest.mark.extended
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
async def test_a_model_with_a_large_cache_takes_what_was_estimated(tmp_path: Path, dtype: str) -> None:
    spec = transformers_spec(tiny_folder(tmp_path / "wide", WIDE), dtype=dtype, context=4096)
    loaded, full = await taken(spec)
    assert full - loaded > 100 * MIB
    assert needed(spec) == pytest.approx(full, rel=0.1)


@pytest.mark.extended
@pytest.mark.model
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
async def test_smollm2_takes_what_was_estimated(smollm2_folder: Path, dtype: str) -> None:
    spec = transformers_spec(smollm2_folder, context=2048, dtype=dtype)
    assert needed(spec) == pytest.approx((await taken(spec))[1], rel=0.1)


@pytest.mark.parametrize(
    ("eye", "processor", "patches"),
    [
        ({"image_size": 512, "patch_size": 16}, {}, 32 * 32),
        ({"image_size": 512, "patch_size": 16}, {"do_image_splitting": True}, 32 * 32 + MOST_PIXELS // 16**2),
        ({"patch_size": 14}, {"max_pixels": 14**2 * 100}, 100),
        ({"patch_size": 16}, {"size": {"longest_edge": 2**24}}, MOST_PIXELS // 16**2),
        ({"patch_size": 16}, {"max_soft_tokens": 280, "pooling_kernel_size": 3}, 280 * 9),
        ({}, {}, MOST_PIXELS // 14**2),
    ],
    ids=["one size", "cut", "bounded", "above what is read", "pooled", "not stated"],
)
def test_the_largest_picture_counts(
    tmp_path: Path, eye: dict[str, int], processor: dict[str, Any], patches: int
) -> None:
    blind = tiny_folder(tmp_path / "tiny")
    without = needed(transformers_spec(blind))
    for file in ("preprocessor_config.json", "processor_config.json"):
        stated = json.loads((blind / "config.json").read_text("utf-8"))
        sees = {"architectures": ["AnyForConditionalGeneration"], "vision_config": {"hidden_size": 64, **eye}}
        (blind / "config.json").write_text(json.dumps({**stated, **sees}), "utf-8")
        own = processor if file.startswith("pre") else {"image_processor": processor}
        (blind / file).write_text(json.dumps(own), "utf-8")
        assert needed(transformers_spec(blind)) - without == patches * (12 * 64 + 3 * 4 * 64) * 4
        (blind / file).unlink()
