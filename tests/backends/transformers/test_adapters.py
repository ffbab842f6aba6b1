"""LoRA adapters in PEFT's format: those of the load, those of a request, several in one batch."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modules.backends.registry import BACKENDS
from modules.engine.types import Adapter, Generation, Prompt
from modules.errors import BadRequest, LoadFailed
from modules.sampling import Sampling
from tests.backends.loading import transformers_engine, transformers_spec
from tests.backends.transformers.folders import tiny_folder, write_adapter
from tests.streams import whole

PROMPTS = [tuple(f"question {number}, ".encode()) for number in range(8)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_folder(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> list[Adapter]:
    loras = tmp_path_factory.mktemp("loras")
    return [write_adapter(loras / f"lora{seed}", seed=seed) for seed in range(3)]


def asking(prompt: tuple[int, ...], *adapters: Adapter, **fields: Any) -> Generation:
    wanted = {"sampling": Sampling(temperature=0), "max_tokens": 12, "ignore_eos": True, "adapters": adapters}
    return Generation(prompt=Prompt(prompt), **{**wanted, **fields})


async def loaded_with(folder: Path, *adapters: Adapter) -> tuple[int, ...]:
    async with transformers_engine(replace(transformers_spec(folder), adapters=adapters)) as engine:
        assert engine.card.adapters == tuple(adapter.name for adapter in adapters)
        return (await whole(engine, asking(PROMPTS[0], adapters=None))).tokens


async def test_a_request_gets_what_a_load_with_the_same_adapters_gives(folder: Path, adapters: list[Adapter]) -> None:
    one, two, three = adapters
    half = replace(two, scale=0.5)
    choices: list[tuple[Adapter, ...]] = [(), (one,), (half,), (one, half), (one, two, three)]
    expected = [await loaded_with(folder, *choice) for choice in choices]
    assert len(set(expected)) == len(choices)
    async with transformers_engine(replace(transformers_spec(folder), adapters=(three,))) as engine:
        found = [(await whole(engine, asking(PROMPTS[0], *choice))).tokens for choice in choices]
        silent = await whole(engine, asking(PROMPTS[0], adapters=None))
    assert found == expected
    assert silent.tokens == await loaded_with(folder, three)


async def test_scales_of_one_adapter_add_up_and_zero_is_none(folder: Path, adapters: list[Adapter]) -> None:
    half = replace(adapters[0], scale=0.5)
    async with transformers_engine(transformers_spec(folder)) as engine:

        async def said(*chosen: Adapter) -> tuple[int, ...]:
            return (await whole(engine, asking(PROMPTS[0], *chosen))).tokens

        assert await said(half, half) == await said(adapters[0]) != await said()
        assert await said(replace(adapters[0], scale=0.0)) == await said()


async def test_eight_mixed_requests_get_what_each_gets_alone(folder: Path, adapters: list[Adapter]) -> None:
    """Three adapters and none; the same prompt under two of them shares no cells."""
    chosen: list[tuple[Adapter, ...]] = [(), *((adapter,) for adapter in adapters)] * 2
    generations = [
        asking(prompt, *choice) for prompt, choice in zip(PROMPTS[:1] * 4 + PROMPTS[4:], chosen, strict=True)
    ]
    alone = []
    for generation in generations:
        async with transformers_engine(transformers_spec(folder)) as engine:
            alone.append((await whole(engine, generation)).tokens)
    assert len(set(alone)) == len(alone)
    async with transformers_engine(transformers_spec(folder)) as engine:
        for _ in range(2):
            together = await asyncio.gather(*(whole(engine, generation) for generation in generations))
            assert [reply.tokens for reply in together] == alone


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"width": 32}, "does not fit"), ({"peft_type": "IA3"}, "is no LoRA adapter")],
    ids=["width", "kind"],
)
async def test_what_cannot_be_applied_is_refused(
    folder: Path, adapters: list[Adapter], tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    bad = write_adapter(tmp_path / "bad", seed=1, **changes)
    async with transformers_engine(transformers_spec(folder)) as engine:
        plain = await whole(engine, asking(PROMPTS[0]))
        with pytest.raises(BadRequest, match=words) as refused:
            await whole(engine, asking(PROMPTS[0], bad))
        assert refused.value.param == "lora"
        assert (await whole(engine, asking(PROMPTS[0]))).tokens == plain.tokens
        good = (await whole(engine, asking(PROMPTS[0], adapters[0]))).tokens
        with pytest.raises(BadRequest, match=words):
            await whole(engine, asking(PROMPTS[0], bad))
        assert (await whole(engine, asking(PROMPTS[0], adapters[0]))).tokens == good != plain.tokens
    loader = BACKENDS.loader_for("Transformers")
    with pytest.raises(LoadFailed, match=words):
        loader.load(replace(transformers_spec(folder), adapters=(bad,)), lambda fraction: None)


def test_pickled_adapters_are_never_read(folder: Path, tmp_path: Path) -> None:
    bad = write_adapter(tmp_path / "bad", seed=1)
    (tmp_path / "bad" / "adapter_model.safetensors").rename(tmp_path / "bad" / "adapter_model.bin")
    with pytest.raises(LoadFailed, match="Pickles are never read"):
        BACKENDS.loader_for("Transformers").probe(replace(transformers_spec(folder), adapters=(bad,)))
