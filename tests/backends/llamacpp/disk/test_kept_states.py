"""What a model has read is found on disk by the next process, and its replies are the same as without."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from modules.backends.kv.disk.folder import PIECE, CacheFolder
from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Chunk, Generation, Prompt
from modules.sampling import Sampling
from tests.backends.llamacpp.reference import NEAR_TIE, assert_same, reference
from tests.backends.loading import llama_engine, llama_spec
from tests.model_files import GEMMA, SMOLLM2
from tests.streams import whole

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]

COUNT = 6
LINES = ("The keeper of lighthouse {} wrote that the weather was changing. ", "Nobody in village {} believed him. ")
Start: TypeAlias = Callable[..., AbstractAsyncContextManager[ThreadedEngine]]


@pytest.fixture
def start(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], tmp_path: Path) -> Start:
    """A new model process, as far as the cache on disk can tell."""

    @asynccontextmanager
    async def started(name: str = SMOLLM2, **changes: Any) -> AsyncIterator[ThreadedEngine]:
        # A self-test beside other work may choose otherwise next time, and states of other choices are not taken.
        fixed = {"context": 2048, "cache_folder": str(tmp_path / "cache"), "cache_disk": 0.5, "self_test": False}
        options = {**fixed, **changes}
        async with llama_engine(llama_cpp, llama_spec(model_file(name), **options)) as engine:
            yield engine

    return started


async def said(engine: ThreadedEngine, turn: int, length: int = 60) -> list[int]:
    text = "".join(LINES[line % 2].format(turn * 100 + line) for line in range(20))
    return (await engine.tokenize(text, special=False))[:length]


async def greedy(engine: ThreadedEngine, tokens: Sequence[int]) -> Chunk:
    generation = Generation(
        prompt=Prompt(tuple(tokens)), sampling=Sampling(temperature=0), max_tokens=COUNT, ignore_eos=True
    )
    return await whole(engine, generation)


def counted(chunk: Chunk) -> tuple[int, int]:
    assert chunk.usage is not None
    return chunk.usage.cached_tokens, chunk.usage.disk_tokens


async def talk(engine: ThreadedEngine, tokens: list[int], turn: int) -> tuple[Chunk, int]:
    """One more turn of a conversation, which `tokens` become; and how much of its prompt was seen before."""
    seen = len(tokens)
    tokens += await said(engine, turn)
    reply = await greedy(engine, tokens)
    tokens += reply.tokens
    return reply, seen


@pytest.mark.parametrize("turns", [3, pytest.param(10, marks=pytest.mark.extended)])
async def test_a_conversation_goes_on_in_a_new_process(
    start: Start, model_file: Callable[[str], Path], turns: int
) -> None:
    tokens: list[int] = []
    prompts: list[tuple[list[int], tuple[int, ...]]] = []
    for turn in range(turns):
        async with start() as engine:
            reply, seen = await talk(engine, tokens, turn)
            ends = engine.card.eos_ids
            prompts.append((tokens[: -len(reply.tokens)], reply.tokens))
        cached, from_disk = counted(reply)
        assert cached == from_disk
        assert cached >= 0.97 * (seen - 1)
    with reference(model_file(SMOLLM2)) as judge:
        for prompt, replied in prompts:
            assert_same(replied, judge.greedy(prompt, COUNT), ends, near_tie=NEAR_TIE)


async def test_what_is_in_memory_is_not_read_from_disk(start: Start) -> None:
    tokens: list[int] = []
    async with start() as engine:
        await talk(engine, tokens, 0)
        reply, seen = await talk(engine, tokens, 1)
    cached, from_disk = counted(reply)
    assert from_disk == 0
    assert cached >= seen - 1


async def test_conversations_side_by_side_go_on(start: Start, model_file: Callable[[str], Path]) -> None:
    """Their cells lie among each other's; they begin alike."""
    async with start() as engine:
        talks = [await said(engine, 50, 40) for _ in range(3)]
        await asyncio.gather(*(talk(engine, tokens, turn) for turn, tokens in enumerate(talks)))
    async with start() as engine:
        replies = await asyncio.gather(*(talk(engine, tokens, 10 + turn) for turn, tokens in enumerate(talks)))
        ends = engine.card.eos_ids
    with reference(model_file(SMOLLM2)) as judge:
        for (reply, seen), tokens in zip(replies, talks, strict=True):
            assert counted(reply)[0] >= 0.97 * (seen - 1)
            prompt = tokens[: -len(reply.tokens)]
            assert_same(reply.tokens, judge.greedy(prompt, COUNT), ends, near_tie=NEAR_TIE)


async def test_damage_costs_time_only(start: Start, tmp_path: Path) -> None:
    tokens: list[int] = []
    async with start() as engine:
        await talk(engine, tokens, 0)
        await talk(engine, tokens, 1)
    async with start() as engine:
        expected = await greedy(engine, tokens)
        assert counted(expected)[1] > 0
    for path in (tmp_path / "cache" / "prefixes").glob(f"*{PIECE}"):
        data = bytearray(path.read_bytes())
        data[-20] ^= 1
        path.write_bytes(data)
    async with start() as engine:
        reply = await greedy(engine, tokens)
    assert counted(reply) == (0, 0)
    assert reply.tokens == expected.tokens


async def test_other_options_of_the_cache_find_nothing(start: Start) -> None:
    tokens: list[int] = []
    async with start() as engine:
        await talk(engine, tokens, 0)
    for changes in ({"cache_type": "q8_0"}, {"flash_attn": "off"}):
        async with start(**changes) as engine:
            assert counted(await greedy(engine, tokens)) == (0, 0)


async def test_scored_prompts_are_computed(start: Start) -> None:
    tokens: list[int] = []
    async with start() as engine:
        await talk(engine, tokens, 0)
    async with start() as engine:
        generation = Generation(prompt=Prompt(tuple(tokens)), max_tokens=0, prompt_logprobs=0)
        assert counted(await whole(engine, generation)) == (0, 0)


async def test_a_job_that_is_dropped_while_it_is_read(start: Start) -> None:
    tokens: list[int] = []
    async with start() as engine:
        await talk(engine, tokens, 0)
    async with start() as engine:
        leaving = asyncio.create_task(greedy(engine, tokens))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        assert counted(await greedy(engine, tokens))[0] == len(tokens) - 1


async def test_off_is_off(start: Start, tmp_path: Path) -> None:
    async with start(cache_disk=0.0) as engine:
        await talk(engine, [], 0)
    assert not (tmp_path / "cache" / "prefixes").exists()


async def test_a_folder_that_cannot_be_used_costs_the_cache_only(start: Start, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    async with start() as engine:
        reply, _ = await talk(engine, [], 0)
    assert len(reply.tokens) == COUNT


async def test_no_text_or_tokens_lie_in_the_files(start: Start, tmp_path: Path) -> None:
    tokens: list[int] = []
    async with start() as engine:
        await talk(engine, tokens, 0)
    files = list((tmp_path / "cache" / "prefixes").iterdir())
    assert CacheFolder(tmp_path / "cache" / "prefixes", 0).counts().writes > 0
    runs = [b"".join(token.to_bytes(4, "little") for token in tokens[at : at + 3]) for at in range(len(tokens) - 2)]
    for file in files:
        data = file.read_bytes() + file.name.encode()
        assert not any(run in data for run in (b"keeper", b"lighthouse", b"SmolLM2", b"llama", *runs))


@pytest.mark.extended
@pytest.mark.parametrize("swa_full", [True, False])
async def test_sliding_windows(start: Start, model_file: Callable[[str], Path], swa_full: bool) -> None:
    tokens: list[int] = []
    for turn in range(4):
        async with start(GEMMA, swa_full=swa_full) as engine:
            seen = len(tokens)
            tokens += await said(engine, turn, 250)
            reply = await greedy(engine, tokens)
            ends = engine.card.eos_ids
        assert counted(reply)[1] >= 0.97 * (seen - 1)
        with reference(model_file(GEMMA)) as judge:
            assert_same(reply.tokens, judge.greedy(tokens, COUNT), ends, near_tie=NEAR_TIE)
        tokens += reply.tokens
