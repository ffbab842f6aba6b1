"""Where no end of a sequence can be cut off, the next turn goes on from the prompt whose reply it spells otherwise."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Chunk, Generation, Prompt
from modules.sampling import Sampling
from tests.backends.llamacpp.reference import NEAR_TIE, assert_same, reference
from tests.backends.llamacpp.tiny_models import write_jamba, write_mamba
from tests.backends.loading import llama_engine, llama_spec
from tests.model_files import GEMMA
from tests.streams import whole

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]

COUNT = 6


async def greedy(engine: ThreadedEngine, tokens: Sequence[int]) -> Chunk:
    generation = Generation(
        prompt=Prompt(tuple(tokens)), sampling=Sampling(temperature=0), max_tokens=COUNT, ignore_eos=True
    )
    return await whole(engine, generation)


def cached(chunk: Chunk) -> int:
    assert chunk.usage is not None
    return chunk.usage.cached_tokens


async def said(engine: ThreadedEngine, turn: int) -> list[int]:
    text = " ".join(f"The keeper of lighthouse {turn * 100 + line} wrote a letter." for line in range(6))
    return await engine.tokenize(text, special=False)


@pytest.mark.parametrize(
    "has_others",
    [pytest.param(False, id="alone", marks=pytest.mark.extended), pytest.param(True, id="others in between")],
)
async def test_a_window_goes_on_from_the_prompt(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], has_others: bool
) -> None:
    spec = llama_spec(model_file(GEMMA), context=2048, swa_full=False)
    async with llama_engine(llama_cpp, spec) as engine:
        tokens = await said(engine, 0)
        for turn in range(1, 4):
            seen = len(tokens)
            first = await greedy(engine, tokens)
            if has_others:
                await greedy(engine, await said(engine, 10 + turn))
            other = [token for token in await said(engine, 20 + turn) if token != first.tokens[0]][: COUNT - 1]
            tokens += other + await said(engine, turn)
            second = await greedy(engine, tokens)
            assert cached(second) == seen
            ends = engine.card.eos_ids
    with reference(model_file(GEMMA)) as judge:
        assert_same(second.tokens, judge.greedy(tokens, COUNT), ends, near_tie=NEAR_TIE)


@pytest.mark.parametrize("write", [write_mamba, write_jamba], ids=["recurrent", "hybrid"])
async def test_states_go_on_from_the_prompt(
    llama_cpp: LlamaCppLoader, tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    spec = llama_spec(write(tmp_path / "model.gguf"), context=2048)
    async with llama_engine(llama_cpp, spec) as engine:
        tokens = await said(engine, 0)
        seen = len(tokens)
        first = await greedy(engine, tokens)
        await greedy(engine, await said(engine, 10))
        tokens += [3 + (first.tokens[0] + 1) % 256, *await said(engine, 1)]
        second = await greedy(engine, tokens)
        assert cached(second) == seen
    # A model that has seen nothing says the same.
    async with llama_engine(llama_cpp, spec) as engine:
        assert (await greedy(engine, tokens)).tokens == second.tokens
