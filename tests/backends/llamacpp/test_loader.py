"""Files that are no models, or no whole ones, are refused with a reason; the process that tried is gone."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.process import ProcessEngine
from modules.engine.types import Generation, LoadSpec, Prompt
from modules.errors import LoadFailed
from tests.backends.loading import changed_spec, llama_spec
from tests.model_files import GEMMA, SMOLLM2
from tests.processes import child_processes
from tests.streams import whole

pytestmark = pytest.mark.model

HEADER = b"GGUF\x03\0\0\0"


@pytest.fixture
def path(model_file: Callable[[str], Path]) -> Path:
    return model_file(SMOLLM2)


async def loaded(spec: LoadSpec) -> ProcessEngine:
    engine = await ProcessEngine.probe(spec)
    await engine.load(lambda fraction: None)
    return engine


async def refusal(spec: LoadSpec) -> str:
    """What is said about a model that cannot be loaded; the process that tried is gone then."""
    before = child_processes()
    with pytest.raises(LoadFailed) as failed:
        await loaded(spec)
    assert child_processes() == before
    return failed.value.message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not a GGUF file"),
        (b"hello, I am text", "not a GGUF file"),
        (HEADER, "cannot load|crashed"),
        (HEADER + b"\xff" * 16, "cannot load|crashed"),
        (HEADER + b"\x01" + b"\0" * 7 + b"\x01" + b"\0" * 7 + b"\xff" * 200, "cannot load|crashed"),
    ],
    ids=["empty", "text", "header only", "absurd counts", "absurd key"],
)
async def test_what_is_no_model(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "broken.gguf"
    file.write_bytes(content)
    message = await refusal(llama_spec(file))
    assert re.search(reason, message)
    assert file.name in message
    assert str(tmp_path) not in message


@pytest.mark.parametrize("size", [4096, 2_000_000, 50_000_000])
async def test_a_download_that_broke_off(tmp_path: Path, path: Path, size: int) -> None:
    file = tmp_path / "half.gguf"
    with path.open("rb") as whole_file:
        file.write_bytes(whole_file.read(size))
    assert file.name in await refusal(llama_spec(file))


async def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "cannot be read" in await refusal(llama_spec(tmp_path / "missing.gguf"))


async def test_an_unknown_cache_type(path: Path) -> None:
    assert re.search("Choose one of: .*q8_0", await refusal(llama_spec(path, cache_type="q9_9")))


async def test_more_context_than_any_memory_holds(path: Path) -> None:
    assert re.search("--ctx-size|crashed", await refusal(llama_spec(path, context=2**23, idle_cells=0)))


def test_probing_reads_what_the_card_needs(llama_cpp: LlamaCppLoader, path: Path) -> None:
    card = llama_cpp.probe(llama_spec(path, name="folder/model.gguf", context=0))
    assert (card.name, card.loader, card.architecture) == ("folder/model.gguf", "llama.cpp", "llama")
    assert card.context == card.trained_context == 8192
    assert "<|im_start|>" in card.control_tokens
    assert card.chat_template is not None
    assert "<|im_start|>" in card.chat_template
    assert card.eos_token == "<|im_end|>"
    assert not card.adds_bos


def test_loading_tells_how_far_it_is(llama_cpp: LlamaCppLoader, path: Path) -> None:
    heard: list[float] = []
    llama_cpp.load(llama_spec(path, context=256), heard.append).close()
    assert heard == sorted(heard)
    assert heard[-1] == 1.0
    assert len(heard) > 5


@pytest.mark.parametrize(
    "changes",
    [
        {"parallel": 1, "kv_cells": 300},
        pytest.param({"no_mmap": True}, marks=pytest.mark.extended),
        pytest.param({"batch_size": 32, "ubatch_size": 8}, marks=pytest.mark.extended),
        pytest.param({"context": 100, "idle_cells": 0}, marks=pytest.mark.extended),
    ],
    ids=str,
)
async def test_ways_to_load(path: Path, changes: dict[str, object]) -> None:
    engine = await loaded(changed_spec(llama_spec(path, context=256), **changes))
    prompt = Prompt(tuple(await engine.tokenize("one two three four " * 20, special=False)))
    replies = await asyncio.gather(
        *(whole(engine, Generation(prompt=prompt, max_tokens=3, ignore_eos=True)) for _ in range(3))
    )
    assert [len(reply.tokens) for reply in replies] == [3, 3, 3]
    await engine.aclose()


async def test_a_path_with_spaces_and_letters_of_all_kinds(tmp_path: Path, path: Path) -> None:
    link = tmp_path / "mödel 世界.gguf"
    link.symlink_to(path)
    engine = await loaded(llama_spec(link, context=256))
    assert await engine.tokenize("a", special=False)
    await engine.aclose()


@pytest.mark.parametrize(("file", "is_own"), [(SMOLLM2, True), (GEMMA, False)])
def test_a_template_beside_the_file_is_for_models_without_one(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path, file: str, is_own: bool
) -> None:
    (tmp_path / file).symlink_to(model_file(file))
    (tmp_path / "chat_template.jinja").write_text("beside", encoding="utf-8")
    template = llama_cpp.probe(llama_spec(tmp_path / file)).chat_template
    assert (template != "beside") is is_own
