"""The Transformers loader on tiny models with random weights: replies are the model's own, alone and among others."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from modules.backends.transformers.library import transformers
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Generation, Prompt
from modules.sampling import Sampling
from tests.backends.loading import transformers_engine, transformers_spec
from tests.backends.transformers.folders import GEMMA2, GPT2, HYBRID, LLAMA, VOCABULARY, tiny_folder
from tests.streams import whole

COUNT = 16
PROMPTS = ("The quick brown fox", "a", "🙂 is one", "Once upon a time there was " * 4, "0123456789", "x = [1, 2")
QWEN3_MOE = {
    **LLAMA,
    "model_type": "qwen3_moe",
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
}
GPT_OSS = {**LLAMA, "model_type": "gpt_oss", "sliding_window": 16, "num_local_experts": 4, "num_experts_per_tok": 2}
# Recurrent layers, whose states cannot be cut or packed.
MAMBA = {"model_type": "mamba", "hidden_size": 64, "num_hidden_layers": 2, "state_size": 8}

RWKV = {
    "model_type": "rwkv",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "attention_hidden_size": 64,
    "context_length": 256,
}
MISTRAL = {**LLAMA, "model_type": "mistral", "sliding_window": 16}
RECURRENT_GEMMA = {
    **LLAMA,
    "model_type": "recurrent_gemma",
    "attention_window_size": 16,
    "lru_width": 64,
    "num_key_value_heads": 1,
    "block_types": ["recurrent", "recurrent", "attention"],
}


def greedy(prompt: Sequence[int], **fields: Any) -> Generation:
    wanted = {"sampling": Sampling(temperature=0), "max_tokens": COUNT, "ignore_eos": True, **fields}
    return Generation(prompt=Prompt(tuple(prompt)), **wanted)


def generated(model: Any, prompt: Sequence[int]) -> list[int]:
    """By Transformers' own `generate`, without ending the reply."""
    ids = torch.tensor([list(prompt)])
    mask, end = torch.ones_like(ids), VOCABULARY - 1
    made = model.generate(ids, attention_mask=mask, max_new_tokens=COUNT, do_sample=False, suppress_tokens=[end])
    return [int(token) for token in made[0, len(prompt) :]]


async def tokens_of(engine: ThreadedEngine) -> list[list[int]]:
    return [await engine.tokenize(text, special=True) for text in PROMPTS]


@pytest.mark.parametrize(
    ("config", "is_packed"),
    [
        (LLAMA, True),
        (GPT2, True),
        (GEMMA2, True),
        (GPT_OSS, True),
        pytest.param(QWEN3_MOE, True, marks=pytest.mark.extended),
        (MAMBA, False),
        (RWKV, False),
        pytest.param(MISTRAL, True, marks=pytest.mark.extended),
        pytest.param(RECURRENT_GEMMA, False, marks=pytest.mark.extended),
        (HYBRID, False),
    ],
    ids=["llama", "gpt2", "gemma2", "gpt-oss", "moe", "mamba", "rwkv", "mistral", "recurrent-gemma", "hybrid"],
)
async def test_greedy_replies_are_those_of_generate(tmp_path: Path, config: dict[str, Any], is_packed: bool) -> None:
    folder = tiny_folder(tmp_path / "tiny", config)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    async with transformers_engine(transformers_spec(folder, parallel=4, context=200)) as engine:
        assert engine._stepper._backend._runner.can_share is is_packed  # type: ignore[attr-defined]
        prompts = await tokens_of(engine)
        expected = [generated(model, prompt) for prompt in prompts]
        alone = [await whole(engine, greedy(prompt)) for prompt in prompts]
        assert [list(reply.tokens) for reply in alone] == expected
        together = await asyncio.gather(*(whole(engine, greedy(prompt)) for prompt in prompts))
        assert [list(reply.tokens) for reply in together] == expected


async def test_a_prefix_is_reused_and_the_reply_stays_the_same(tmp_path: Path) -> None:
    async with transformers_engine(transformers_spec(tiny_folder(tmp_path / "tiny"), context=200)) as engine:
        tokens = await engine.tokenize(PROMPTS[3], special=True)
        first = await whole(engine, greedy(tokens))
        longer = await whole(engine, greedy([*tokens, *first.tokens, 40, 41]))
        again = await whole(engine, greedy(tokens))
    assert again.tokens == first.tokens
    assert [reply.usage and reply.usage.cached_tokens for reply in (first, longer, again)] == [
        0,
        len(tokens) + COUNT - 1,
        len(tokens) - 1,
    ]


async def test_more_than_the_cache_holds_is_done_in_turns(tmp_path: Path) -> None:
    spec = transformers_spec(tiny_folder(tmp_path / "tiny"), context=120, parallel=4)
    async with transformers_engine(spec) as engine:
        generations = [greedy([start] * 60, max_tokens=40) for start in range(40, 46)]
        alone = [(await whole(engine, generation)).tokens for generation in generations]
        together = await asyncio.gather(*(whole(engine, generation) for generation in generations))
    assert [reply.tokens for reply in together] == alone


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
async def test_attention_of_transformers_own_says_the_same(tmp_path: Path, attention: str) -> None:
    folder = tiny_folder(tmp_path / "tiny")
    replies = []
    for chosen in ("auto", attention):
        async with transformers_engine(transformers_spec(folder, context=200, attn_implementation=chosen)) as engine:
            prompts = await tokens_of(engine)
            replies.append(await asyncio.gather(*(whole(engine, greedy(prompt)) for prompt in prompts)))
    assert [reply.tokens for reply in replies[0]] == [reply.tokens for reply in replies[1]]
