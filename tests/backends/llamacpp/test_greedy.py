"""Greedy replies are llama.cpp's own with the same setting of flash attention: alone, among others, and on a used cache.
Without flash attention a lone reply is so token for token, else up to near-ties."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Generation, Prompt
from modules.sampling import Sampling
from tests.backends.llamacpp.reference import NEAR_TIE, Reference, assert_same, reference
from tests.backends.llamacpp.texts import PROMPTS
from tests.backends.loading import llama_engine, llama_spec
from tests.model_files import SMOLLM2
from tests.streams import chunks_of, whole

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]

COUNT = 24


async def greedy(engine: ThreadedEngine, text: str) -> Generation:
    tokens = await engine.tokenize(text, special=True)
    return Generation(prompt=Prompt(tuple(tokens)), sampling=Sampling(temperature=0), max_tokens=COUNT)


@pytest.mark.parametrize(
    "text", [pytest.param(text, marks=[pytest.mark.extended] * (at % 2), id=str(at)) for at, text in enumerate(PROMPTS)]
)
async def test_alone_and_again_on_a_used_cache(
    smollm2: ThreadedEngine, smollm2_reference: Reference, text: str
) -> None:
    generation = await greedy(smollm2, text)
    expected = smollm2_reference.greedy(generation.prompt.tokens, COUNT)
    first = await whole(smollm2, generation)
    assert_same(first.tokens, expected, smollm2.card.eos_ids, near_tie=NEAR_TIE)
    again = await whole(smollm2, generation)
    assert again.usage is not None
    assert again.usage.cached_tokens == len(generation.prompt.tokens) - 1
    assert_same(again.tokens, expected, smollm2.card.eos_ids, near_tie=NEAR_TIE)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plain(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path]) -> AsyncIterator[ThreadedEngine]:
    """Without flash attention."""
    async with llama_engine(llama_cpp, llama_spec(model_file(SMOLLM2), flash_attn="off")) as engine:
        yield engine


@pytest.fixture(scope="module")
def plain_reference(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path]) -> Iterator[Reference]:
    with reference(model_file(SMOLLM2), flash=False) as made:
        yield made


@pytest.mark.parametrize(
    "text", [pytest.param(text, marks=[pytest.mark.extended] * (at % 2), id=str(at)) for at, text in enumerate(PROMPTS)]
)
async def test_alone_without_flash_attention(plain: ThreadedEngine, plain_reference: Reference, text: str) -> None:
    generation = await greedy(plain, text)
    expected = plain_reference.greedy(generation.prompt.tokens, COUNT)
    first = await whole(plain, generation)
    assert_same(first.tokens, expected, plain.card.eos_ids)
    again = await whole(plain, generation)
    assert again.usage is not None
    assert again.usage.cached_tokens == len(generation.prompt.tokens) - 1
    assert_same(again.tokens, expected, plain.card.eos_ids, near_tie=NEAR_TIE)


@pytest.mark.parametrize("start", [0, 8, pytest.param(12, marks=pytest.mark.extended)])
async def test_among_eight(smollm2: ThreadedEngine, smollm2_reference: Reference, start: int) -> None:
    generations = [await greedy(smollm2, text) for text in PROMPTS[start : start + 8]]
    replies = await asyncio.gather(*(whole(smollm2, generation) for generation in generations))
    for generation, reply in zip(generations, replies, strict=True):
        expected = smollm2_reference.greedy(generation.prompt.tokens, COUNT)
        assert_same(reply.tokens, expected, smollm2.card.eos_ids, near_tie=NEAR_TIE)


async def test_in_pieces_and_whole_are_the_same(smollm2: ThreadedEngine) -> None:
    generation = await greedy(smollm2, PROMPTS[15])
    pieces = await chunks_of(smollm2, generation)
    assert len(pieces) > 3
    assert await smollm2.detokenize([token for piece in pieces for token in piece.tokens]) == "".join(
        piece.text for piece in pieces
    )
