"""Other models, one after the other in one process: another vocabulary, and sliding-window attention."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Chunk, Generation, Prompt
from modules.sampling import Sampling
from tests.backends.llamacpp.reference import NEAR_TIE, Reference, assert_same, reference
from tests.backends.loading import llama_engine, llama_spec
from tests.model_files import GEMMA, QWEN
from tests.streams import whole

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]

COUNT = 16
PROMPTS = ("The three primary colours are", "import numpy as np\n\ndef softmax(x):\n", "日本で一番高い山は")
STORY = "The old lighthouse keeper, Number {}, wrote in his diary that the weather was changing again. "


async def tokens_of(engine: ThreadedEngine, text: str) -> list[int]:
    tokens = await engine.tokenize(text, special=False)
    return [engine.card.bos_id, *tokens] if engine.card.adds_bos and engine.card.bos_id is not None else tokens


async def story(engine: ThreadedEngine, number: int, length: int) -> list[int]:
    """The first `length` tokens of a story; each number has its own, alike in nothing but the first word."""
    text = f"Story {number}. " + "".join(STORY.format(number * 100 + line) for line in range(60))
    return (await tokens_of(engine, text))[:length]


async def greedy(engine: ThreadedEngine, tokens: list[int]) -> Chunk:
    generation = Generation(prompt=Prompt(tuple(tokens)), sampling=Sampling(temperature=0), max_tokens=COUNT)
    return await whole(engine, generation)


def endless(tokens: list[int]) -> Generation:
    return Generation(prompt=Prompt(tuple(tokens)), ignore_eos=True)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def qwen(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path]) -> AsyncIterator[ThreadedEngine]:
    async with llama_engine(llama_cpp, llama_spec(model_file(QWEN), context=512)) as engine:
        yield engine


@pytest.fixture(scope="module")
def qwen_reference(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path]) -> Iterator[Reference]:
    with reference(model_file(QWEN)) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def gemma(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path]) -> AsyncIterator[ThreadedEngine]:
    """With a cache in which little else has room beside a long prompt; new for each test."""
    async with llama_engine(llama_cpp, llama_spec(model_file(GEMMA), context=1024, kv_cells=1536)) as engine:
        yield engine


@pytest.fixture(scope="module")
def gemma_reference(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path]) -> Iterator[Reference]:
    with reference(model_file(GEMMA)) as made:
        yield made


@pytest.mark.parametrize("text", PROMPTS, ids=range(len(PROMPTS)))
async def test_qwen(qwen: ThreadedEngine, qwen_reference: Reference, text: str) -> None:
    tokens = await tokens_of(qwen, text)
    expected = qwen_reference.greedy(tokens, COUNT)
    for _ in range(2):
        reply = await greedy(qwen, tokens)
        assert_same(reply.tokens, expected, qwen.card.eos_ids, near_tie=NEAR_TIE)


@pytest.mark.parametrize("text", PROMPTS, ids=range(len(PROMPTS)))
async def test_gemma(gemma: ThreadedEngine, gemma_reference: Reference, text: str) -> None:
    tokens = await tokens_of(gemma, text)
    reply = await greedy(gemma, tokens)
    assert_same(reply.tokens, gemma_reference.greedy(tokens, COUNT), gemma.card.eos_ids, near_tie=NEAR_TIE)


@pytest.mark.parametrize("between", [0, pytest.param(1, marks=pytest.mark.extended)])
async def test_gemma_on_a_beginning_longer_than_its_window(
    gemma: ThreadedEngine, gemma_reference: Reference, between: int
) -> None:
    first = await story(gemma, 1, 700)
    await greedy(gemma, first)
    for number in range(between):
        await greedy(gemma, await story(gemma, 2 + number, 400))
    branch = [*first[:550], *await tokens_of(gemma, " And then, in the")]
    reply = await greedy(gemma, branch)
    assert_same(reply.tokens, gemma_reference.greedy(branch, COUNT), gemma.card.eos_ids, near_tie=NEAR_TIE)


@pytest.mark.extended
async def test_gemma_in_a_conversation_longer_than_its_window(
    gemma: ThreadedEngine, gemma_reference: Reference
) -> None:
    first = await story(gemma, 1, 650)
    said = await greedy(gemma, first)
    follow = [*first, *said.tokens, *await tokens_of(gemma, " And then, in the")]
    reply = await greedy(gemma, follow)
    assert reply.usage is not None
    assert reply.usage.cached_tokens >= len(first)
    assert_same(reply.tokens, gemma_reference.greedy(follow, COUNT), gemma.card.eos_ids, near_tie=NEAR_TIE)


@pytest.mark.extended
async def test_gemma_on_a_beginning_that_was_overwritten(gemma: ThreadedEngine, gemma_reference: Reference) -> None:
    """A job leaves room before the story in the cache; the next one fills it and goes on over what left the window."""
    first = await story(gemma, 1, 700)
    async with aclosing(gemma.generate(endless(await story(gemma, 2, 100)))) as leaving:
        await anext(leaving)
        async with aclosing(gemma.generate(endless(first))) as telling:
            while not (await anext(telling)).text:
                pass
            await leaving.aclose()
            await greedy(gemma, await story(gemma, 3, 400))
    branch = [*first[:550], *await tokens_of(gemma, " And then, in the")]
    reply = await greedy(gemma, branch)
    assert_same(reply.tokens, gemma_reference.greedy(branch, COUNT), gemma.card.eos_ids, near_tie=NEAR_TIE)
