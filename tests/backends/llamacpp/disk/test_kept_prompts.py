"""Where no end of a state can be cut off, a new process goes on from the prompt whose reply the next turn spells otherwise;
and what stands before a picture is found again."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Chunk, Generation, Media, Prompt
from modules.sampling import Sampling
from tests.backends.llamacpp.reference import NEAR_TIE, assert_same, reference
from tests.backends.llamacpp.tiny_models import write_jamba, write_llama, write_mamba
from tests.backends.loading import llama_engine, llama_spec
from tests.media_samples import picture
from tests.model_files import GEMMA
from tests.projectors import write_random_projector
from tests.streams import whole

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]

COUNT: Final = 6
SENTENCE: Final = "The keeper of lighthouse {} wrote a letter. "
Start: TypeAlias = Callable[..., AbstractAsyncContextManager[ThreadedEngine]]


@pytest.fixture
def start(llama_cpp: LlamaCppLoader, tmp_path: Path) -> Start:
    """A new model process, as far as the cache on disk can tell."""

    @asynccontextmanager
    async def started(path: Path, **changes: Any) -> AsyncIterator[ThreadedEngine]:
        fixed = {"context": 2048, "cache_folder": str(tmp_path / "cache"), "cache_disk": 0.5, "self_test": False}
        async with llama_engine(llama_cpp, llama_spec(path, **{**fixed, **changes})) as engine:
            yield engine

    return started


async def said(engine: ThreadedEngine, turn: int) -> list[int]:
    text = "".join(SENTENCE.format(turn * 100 + line) for line in range(6))
    return await engine.tokenize(text, special=False)


async def greedy(engine: ThreadedEngine, tokens: Sequence[int], *media: Media) -> Chunk:
    generation = Generation(
        prompt=Prompt(tuple(tokens), media), sampling=Sampling(temperature=0), max_tokens=COUNT, ignore_eos=True
    )
    return await whole(engine, generation)


def from_disk(chunk: Chunk) -> int:
    assert chunk.usage is not None
    return chunk.usage.disk_tokens


async def spelled_otherwise(start: Start, path: Path, turns: int, **changes: Any) -> tuple[list[int], Chunk]:
    """Each turn in a process of its own, with another reply than was given. Returns the last prompt and the reply to it."""
    async with start(path, **changes) as engine:
        tokens = await said(engine, 0)
        reply = await greedy(engine, tokens)
    for turn in range(1, turns):
        async with start(path, **changes) as engine:
            seen = len(tokens)
            tokens += [3 + (reply.tokens[0] + 1) % 200, *await said(engine, turn)]
            reply = await greedy(engine, tokens)
            assert from_disk(reply) == seen
    return tokens, reply


@pytest.mark.parametrize("write", [write_mamba, write_jamba], ids=["recurrent", "hybrid"])
async def test_a_restart_goes_on_from_the_prompt(start: Start, tmp_path: Path, write: Callable[[Path], Path]) -> None:
    path = write(tmp_path / "model.gguf")
    tokens, reply = await spelled_otherwise(start, path, 3)
    # A model that has seen nothing says the same.
    async with start(path, cache_folder="") as engine:
        again = await greedy(engine, tokens)
    assert from_disk(again) == 0
    assert again.tokens == reply.tokens


async def test_a_restart_goes_on_from_the_reply(start: Start, tmp_path: Path) -> None:
    path = write_jamba(tmp_path / "model.gguf")
    async with start(path) as engine:
        tokens = await said(engine, 0)
        tokens += (await greedy(engine, tokens)).tokens
    async with start(path) as engine:
        # The last token of a reply is not computed.
        assert from_disk(await greedy(engine, tokens + await said(engine, 1))) == len(tokens) - 1


@pytest.mark.extended
@pytest.mark.parametrize("swa_full", [True, False])
async def test_a_window_goes_on_from_the_prompt(
    start: Start, model_file: Callable[[str], Path], swa_full: bool
) -> None:
    path = model_file(GEMMA)
    tokens, reply = await spelled_otherwise(start, path, 4, swa_full=swa_full)
    with reference(path) as judge:
        assert_same(reply.tokens, judge.greedy(tokens, COUNT), (), near_tie=NEAR_TIE)


async def test_what_stands_before_a_picture_is_found(start: Start, tmp_path: Path) -> None:
    path = write_llama(tmp_path / "model.gguf")
    projector = write_random_projector(tmp_path / "mmproj.gguf", "janus_pro", width=64)
    red, blue = picture((250, 3, 3)), picture((3, 3, 250))
    async with start(path, mmproj=str(projector)) as engine:
        before, after = await said(engine, 0), await said(engine, 1)
        seen = {media: [*before, *await engine.media_tokens(media.shape), *after] for media in (red, blue)}
        first = await greedy(engine, seen[red], red)
    async with start(path, mmproj=str(projector)) as engine:
        again, other = await greedy(engine, seen[red], red), await greedy(engine, seen[blue], blue)
    async with start(path, mmproj=str(projector), cache_folder="") as engine:
        alone = await greedy(engine, seen[blue], blue)
    assert from_disk(again) == len(before)
    assert again.tokens == first.tokens
    assert other.tokens == alone.tokens
