"""LoRA adapters change what a model says, and go away again; those that do not fit are refused."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.types import Adapter, Generation, Prompt
from modules.errors import BadRequest, LoadFailed
from modules.sampling import Sampling
from tests.backends.loading import llama_engine, llama_spec
from tests.model_files import SMOLLM2
from tests.streams import whole

pytestmark = pytest.mark.model

RANK = 4
WIDTH = 576
GENERATION = Generation(prompt=Prompt((504, 253, 1036, 282)), sampling=Sampling(temperature=0), max_tokens=12)


def write_adapter(path: Path, *, width: int = WIDTH, architecture: str = "llama", seed: int = 7) -> Adapter:
    """A random adapter of rank 4 on the first layer's queries, strong enough to be noticed."""
    random = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type("adapter")
    writer.add_string("adapter.type", "lora")
    writer.add_float32("adapter.lora.alpha", 64.0)
    writer.add_tensor("blk.0.attn_q.weight.lora_a", random.normal(size=(RANK, width)).astype(np.float32))
    writer.add_tensor("blk.0.attn_q.weight.lora_b", random.normal(size=(width, RANK)).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return Adapter(name=path.name, path=str(path))


async def reply(loader: LlamaCppLoader, model: Path, *adapters: Adapter) -> str:
    async with llama_engine(loader, replace(llama_spec(model), adapters=adapters)) as engine:
        assert engine.card.adapters == tuple(adapter.name for adapter in adapters)
        return (await whole(engine, GENERATION)).text


def probe(loader: LlamaCppLoader, model: Path, adapter: Adapter) -> None:
    loader.probe(replace(llama_spec(model), adapters=(adapter,)))


async def probed_and_used(loader: LlamaCppLoader, model: Path, adapter: Adapter) -> None:
    probe(loader, model, adapter)
    await reply(loader, model, adapter)


async def test_adapter_changes_the_reply(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path
) -> None:
    adapter = write_adapter(tmp_path / "loud.gguf")
    plain = await reply(llama_cpp, model_file(SMOLLM2))
    assert await reply(llama_cpp, model_file(SMOLLM2), adapter) != plain
    assert await reply(llama_cpp, model_file(SMOLLM2), replace(adapter, scale=0.0)) == plain


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> list[Adapter]:
    folder = tmp_path_factory.mktemp("loras")
    return [write_adapter(folder / f"lora{seed}.gguf", seed=seed) for seed in range(3)]


async def test_a_request_gets_what_a_load_with_the_same_adapters_gives(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], adapters: list[Adapter]
) -> None:
    one, two, three = adapters
    choices: list[tuple[Adapter, ...]] = [(), (replace(one, scale=0.5),), (one, two)]
    expected = [await reply(llama_cpp, model_file(SMOLLM2), *choice) for choice in choices]
    spec = replace(llama_spec(model_file(SMOLLM2)), adapters=(three,))
    async with llama_engine(llama_cpp, spec) as engine:
        found = [(await whole(engine, replace(GENERATION, adapters=choice))).text for choice in choices]
        silent = (await whole(engine, GENERATION)).text
    assert found == expected
    assert len({*found, silent}) == len(choices) + 1


async def test_eight_mixed_requests_get_what_each_gets_alone(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], adapters: list[Adapter]
) -> None:
    """Three adapters and none; half of the requests have the same prompt, which shares no cells between adapters."""
    chosen: list[tuple[Adapter, ...]] = [(), *((adapter,) for adapter in adapters)] * 2
    prompts = [GENERATION.prompt] * 4 + [Prompt((504, 253, 1036, 282, 300 + number)) for number in range(4)]
    generations = [
        replace(GENERATION, prompt=prompt, adapters=choice) for prompt, choice in zip(prompts, chosen, strict=True)
    ]
    alone = []
    for generation in generations:
        async with llama_engine(llama_cpp, llama_spec(model_file(SMOLLM2))) as engine:
            alone.append((await whole(engine, generation)).tokens)
    assert len(set(alone[:4])) == 4
    async with llama_engine(llama_cpp, llama_spec(model_file(SMOLLM2), parallel=8)) as engine:
        for _ in range(2):
            together = await asyncio.gather(*(whole(engine, generation) for generation in generations))
            assert [each.tokens for each in together] == alone


async def test_a_request_with_what_is_no_adapter_is_refused_beside_others(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path
) -> None:
    bad = write_adapter(tmp_path / "other.gguf", architecture="gemma3")
    async with llama_engine(llama_cpp, llama_spec(model_file(SMOLLM2))) as engine:
        beside = asyncio.create_task(whole(engine, GENERATION))
        with pytest.raises(BadRequest, match="made for another model") as refused:
            await whole(engine, replace(GENERATION, adapters=(bad,)))
        assert refused.value.param == "lora"
        assert (await beside).text


@pytest.mark.parametrize(("width", "architecture"), [(64, "llama"), (WIDTH, "gemma3")])
async def test_adapter_of_another_model_is_refused(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path, width: int, architecture: str
) -> None:
    adapter = write_adapter(tmp_path / "other.gguf", width=width, architecture=architecture)
    with pytest.raises(LoadFailed, match=r"other\.gguf.*made for another model"):
        await probed_and_used(llama_cpp, model_file(SMOLLM2), adapter)


async def test_folder_in_another_format_is_refused(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(LoadFailed, match="convert_lora_to_gguf"):
        probe(llama_cpp, model_file(SMOLLM2), Adapter(name="peft", path=str(tmp_path)))


@pytest.mark.parametrize("content", [None, b"", b"no adapter at all"])
def test_what_is_no_adapter_is_refused_before_anything_is_loaded(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(content) if content is not None else path.symlink_to(model_file(SMOLLM2))
    with pytest.raises(LoadFailed, match=r"other\.gguf is no"):
        probe(llama_cpp, model_file(SMOLLM2), Adapter(name=path.name, path=str(path)))
