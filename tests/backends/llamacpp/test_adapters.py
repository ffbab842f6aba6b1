"""LoRA adapters change what a model says, and go away again; those that do not fit are refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.types import Adapter, Generation, Prompt
from modules.errors import LoadFailed
from modules.sampling import Sampling
from tests.backends.loading import llama_engine, llama_spec
from tests.model_files import SMOLLM2
from tests.streams import whole

pytestmark = pytest.mark.model

RANK = 4
WIDTH = 576
GENERATION = Generation(prompt=Prompt((504, 253, 1036, 282)), sampling=Sampling(temperature=0), max_tokens=12)


def write_adapter(path: Path, *, width: int = WIDTH, architecture: str = "llama") -> Adapter:
    """A random adapter of rank 4 on the first layer's queries, strong enough to be noticed."""
    random = np.random.default_rng(7)
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
