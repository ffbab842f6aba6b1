"""--cache-reuse: what stands behind an edit is moved, not read again; where that cannot be, it is refused."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Chunk, Generation, Prompt, Usage
from modules.errors import LoadFailed
from modules.sampling import Sampling
from tests.backends.llamacpp.media.planar_model import write_planar_model
from tests.backends.llamacpp.reference import assert_same, reference
from tests.backends.llamacpp.tiny_models import write_jamba, write_llama, write_mamba
from tests.backends.loading import llama_engine, llama_spec
from tests.model_files import GEMMA, SMOLLM2
from tests.streams import whole

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]

COUNT: Final = 8
LEAST: Final = 64
# Cells are turned to their new places as 16-bit floats.
NEAR_TIE: Final = 0.1
# Of a model with one layer, keys and values of a token depend on nothing but itself and its place.
ONE_LAYER: Final = 1


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_llama(tmp_path_factory.mktemp("models") / "tiny.gguf", layers=ONE_LAYER)


@pytest_asyncio.fixture(loop_scope="session")
async def engine(llama_cpp: LlamaCppLoader, model: Path) -> AsyncIterator[ThreadedEngine]:
    async with llama_engine(llama_cpp, llama_spec(model, cache_reuse=LEAST, self_test=False)) as made:
        yield made


def said(seed: int, count: int) -> list[int]:
    rng = random.Random(seed)
    return [rng.randrange(3, 259) for _ in range(count)]


async def greedy(engine: ThreadedEngine, tokens: Sequence[int]) -> Chunk:
    generation = Generation(
        prompt=Prompt(tuple(tokens)), sampling=Sampling(temperature=0), max_tokens=COUNT, ignore_eos=True
    )
    return await whole(engine, generation)


def usage_of(chunk: Chunk) -> Usage:
    assert chunk.usage is not None
    return chunk.usage


SYSTEM, EDITED, REST = said(1, 100), said(2, 50), said(3, 600)
EDITS: Final = {
    "replaced by less": said(4, 20),
    "replaced by more": said(4, 120),
    "replaced by as much": said(4, 50),
    "taken out": [],
}


@pytest.mark.parametrize("edit", EDITS)
async def test_what_stands_behind_an_edit_is_moved(engine: ThreadedEngine, model: Path, edit: str) -> None:
    await greedy(engine, [*SYSTEM, *EDITED, *REST])
    tokens = [*SYSTEM, *EDITS[edit], *REST, *said(5, 10)]
    reply = await greedy(engine, tokens)
    usage = usage_of(reply)
    assert usage.moved_tokens >= len(REST)
    assert usage.cached_tokens >= len(SYSTEM) + len(REST)
    with reference(model) as judge:
        assert_same(reply.tokens, judge.greedy(tokens, COUNT), (), near_tie=NEAR_TIE)
        # And the conversation goes on from there.
        tokens += [*reply.tokens, *said(6, 10)]
        second = await greedy(engine, tokens)
        assert_same(second.tokens, judge.greedy(tokens, COUNT), (), near_tie=NEAR_TIE)
    assert usage_of(second).moved_tokens == 0
    assert usage_of(second).cached_tokens >= len(tokens) - 12


async def test_several_edits_and_several_jobs(engine: ThreadedEngine, model: Path) -> None:
    old = [said(10 + number, 150) for number in range(5)]
    await greedy(engine, [token for piece in old for token in piece])
    prompts = [
        [token for number, piece in enumerate(old) for token in [*said(100 * job + number, job), *piece]]
        for job in range(1, 5)
    ]
    replies = await asyncio.gather(*(greedy(engine, tokens) for tokens in prompts))
    with reference(model) as judge:
        for tokens, reply in zip(prompts, replies, strict=True):
            assert_same(reply.tokens, judge.greedy(tokens, COUNT), (), near_tie=NEAR_TIE)
    assert max(usage_of(reply).moved_tokens for reply in replies) > 500


async def test_less_than_was_asked_for_is_read_again(engine: ThreadedEngine) -> None:
    await greedy(engine, [*SYSTEM, *EDITED, *REST[: LEAST - 20]])
    reply = await greedy(engine, [*SYSTEM, 77, *REST[: LEAST - 20]])
    assert usage_of(reply).moved_tokens == 0


async def test_without_the_option_nothing_is_moved(llama_cpp: LlamaCppLoader, model: Path) -> None:
    async with llama_engine(llama_cpp, llama_spec(model, self_test=False)) as engine:
        await greedy(engine, [*SYSTEM, *EDITED, *REST])
        reply = await greedy(engine, [*SYSTEM, *REST])
    assert usage_of(reply).moved_tokens == 0
    assert usage_of(reply).cached_tokens == len(SYSTEM)


async def test_prompts_that_are_scored_are_computed(engine: ThreadedEngine) -> None:
    await greedy(engine, [*SYSTEM, *EDITED, *REST])
    scored = Generation(prompt=Prompt((*SYSTEM, *REST)), max_tokens=0, prompt_logprobs=0)
    assert usage_of(await whole(engine, scored)).cached_tokens == 0


@pytest.mark.parametrize("kind", ["recurrent", "hybrid", "window", "planes"])
async def test_where_cells_cannot_be_moved_it_is_refused(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path, kind: str
) -> None:
    path = {
        "recurrent": lambda: write_mamba(tmp_path / "model.gguf"),
        "hybrid": lambda: write_jamba(tmp_path / "model.gguf"),
        "window": lambda: model_file(GEMMA),
        "planes": lambda: write_planar_model(tmp_path / "model.gguf", model_file(SMOLLM2)),
    }[kind]()
    with pytest.raises(LoadFailed, match="--cache-reuse moves cells"):
        llama_cpp.probe(llama_spec(path, cache_reuse=LEAST))
