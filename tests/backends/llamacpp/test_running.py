"""The real backend under strain: too few cells, many to score, long prompts beside running replies, early leavers."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.protocols import Engine, Interruptible, Output
from modules.engine.types import Generation, Job, Prompt
from modules.sampling import Sampling
from tests.backends.llamacpp.reference import NEAR_TIE, Reference, assert_same
from tests.backends.llamacpp.texts import PROMPTS
from tests.backends.loading import llama_engine, llama_spec
from tests.model_files import SMOLLM2
from tests.streams import chunks_of, whole

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]

GREEDY = Sampling(temperature=0)


async def generation(engine: Engine, text: str, **fields: Any) -> Generation:
    tokens = await engine.tokenize(text, special=True)
    return Generation(prompt=Prompt(tuple(tokens)), **{"sampling": GREEDY, **fields})


async def long_prompt(engine: Engine, length: int, first: str) -> Prompt:
    """`length` tokens that no other prompt begins with."""
    tokens = await engine.tokenize(first + " word and another word," * length, special=False)
    return Prompt(tuple(tokens[:length]))


@pytest.fixture
def spec_path(model_file: Callable[[str], Path]) -> Path:
    return model_file(SMOLLM2)


async def test_too_few_cells_for_all_make_some_wait_and_none_fail(
    llama_cpp: LlamaCppLoader, spec_path: Path, smollm2_reference: Reference
) -> None:
    """Four replies of 70 tokens in 256 cells: the younger ones give way, and go on with what they had said."""
    count = 70
    async with llama_engine(llama_cpp, llama_spec(spec_path, context=256, parallel=4)) as engine:
        jobs = [await generation(engine, text, max_tokens=count, ignore_eos=True) for text in PROMPTS[:4]]
        replies = await asyncio.gather(*(whole(engine, job) for job in jobs))
        for job, reply in zip(jobs, replies, strict=True):
            assert len(reply.tokens) == count
            expected = smollm2_reference.greedy(job.prompt.tokens, count)
            assert_same(reply.tokens, expected, engine.card.eos_ids, near_tie=NEAR_TIE)


@pytest.mark.extended
async def test_a_job_that_gave_way_is_scored_once(llama_cpp: LlamaCppLoader, spec_path: Path) -> None:
    async with llama_engine(llama_cpp, llama_spec(spec_path, context=256, parallel=4)) as engine:
        jobs = [
            Generation(
                prompt=await long_prompt(engine, 40, str(number)),
                sampling=GREEDY,
                max_tokens=60,
                ignore_eos=True,
                prompt_logprobs=1,
            )
            for number in range(4)
        ]
        for job, chunks in zip(jobs, await asyncio.gather(*(chunks_of(engine, job) for job in jobs)), strict=True):
            (scored,) = [chunk.prompt_logprobs for chunk in chunks if chunk.prompt_logprobs is not None]
            assert [entry and entry.token for entry in scored] == [None, *job.prompt.tokens[1:]]
            assert sum(len(chunk.tokens) for chunk in chunks) == 60


@pytest.mark.extended
async def test_many_prompts_are_scored_at_once(llama_cpp: LlamaCppLoader, spec_path: Path) -> None:
    async with llama_engine(llama_cpp, llama_spec(spec_path, context=256, kv_cells=2048, parallel=8)) as engine:
        prompts = [await long_prompt(engine, 100, str(number)) for number in range(8)]
        jobs = [Generation(prompt=prompt, max_tokens=0, prompt_logprobs=0) for prompt in prompts]
        alone = (await whole(engine, jobs[0])).prompt_logprobs
        together = await asyncio.gather(*(whole(engine, job) for job in jobs))
        assert all(reply.prompt_logprobs is not None and len(reply.prompt_logprobs) == 100 for reply in together)
        assert values(together[0].prompt_logprobs) == pytest.approx(values(alone), abs=0.3)


def values(scored: Any) -> list[float]:
    return [entry.logprob for entry in scored if entry is not None]


async def test_as_many_jobs_as_may_be_asked_for(llama_cpp: LlamaCppLoader, spec_path: Path) -> None:
    async with llama_engine(llama_cpp, llama_spec(spec_path, context=256, kv_cells=4096, parallel=256)) as engine:
        job = await generation(engine, "One two three four five six seven eight nine ten eleven", max_tokens=2)
        replies = await asyncio.gather(*(whole(engine, job) for _ in range(30)))
        assert len({reply.text for reply in replies}) == 1


async def test_leaving_while_the_prompt_is_read_stops_reading_it(llama_cpp: LlamaCppLoader, spec_path: Path) -> None:
    """What was read of it is cached, and nothing more."""
    async with llama_engine(llama_cpp, llama_spec(spec_path, parallel=1, batch_size=128)) as engine:
        prompt = await long_prompt(engine, 600, "leaving")
        async with aclosing(engine.generate(Generation(prompt=prompt, max_tokens=1))) as stream:
            first = await anext(stream)
        assert first.progress is not None
        assert first.progress.done < len(prompt.tokens) / 2
        # One place: it waits until the other job is gone.
        again = await whole(engine, Generation(prompt=prompt, max_tokens=1))
        assert again.usage is not None
        assert again.usage.cached_tokens < len(prompt.tokens) - first.progress.done


async def test_a_long_prompt_does_not_hold_a_running_reply_up(smollm2: Engine) -> None:
    """It is read in slices, and the reply has a token after each."""
    running = await generation(smollm2, "A long story:", max_tokens=None, ignore_eos=True)
    long = Generation(prompt=await long_prompt(smollm2, 800, "beside"), sampling=GREEDY, max_tokens=1)
    async with aclosing(smollm2.generate(running)) as stream:
        for _ in range(40):
            await anext(stream)
        reading, tokens = asyncio.create_task(whole(smollm2, long)), 0
        while not reading.done():
            tokens += len((await anext(stream)).tokens)
    # Read as fast as it goes, the prompt takes two batches.
    assert tokens >= 6


async def test_a_job_without_room_fails_alone(llama_cpp: LlamaCppLoader, spec_path: Path) -> None:
    """The others still wait for their turn, and have it."""
    backend = llama_cpp.load(llama_spec(spec_path, context=256, parallel=1), lambda fraction: None)
    decode = backend._batch.decode
    try:
        for number in (1, 2):
            prompt = Prompt(tuple(backend.tokenizer.encode(f"Number {number} is", special=False)))
            backend.admit(Job(number, Generation(prompt=prompt, sampling=GREEDY, max_tokens=1)), None)
        backend._batch.decode = lambda context: 1  # type: ignore[method-assign]
        outputs = [output for _ in range(3) for output in backend.step()]
        assert {output.job_id for output in outputs} == {1}
        assert all(output.error for output in outputs)
        backend.drop(1)
        backend._batch.decode = decode  # type: ignore[method-assign]
        while not (said := [output for output in backend.step() if output.token is not None]):
            pass
        assert [output.job_id for output in said] == [2]
    finally:
        backend.close()


async def test_a_step_is_given_up_for_a_job_that_comes_while_a_prompt_is_read(
    llama_cpp: LlamaCppLoader, spec_path: Path, smollm2_reference: Reference
) -> None:
    """The short one is answered first, and of what had been computed nothing is left in either reply."""
    backend = llama_cpp.load(llama_spec(spec_path, parallel=2), lambda fraction: None)
    assert isinstance(backend, Interruptible)
    comes = False
    backend.interrupt_when(lambda: comes)
    try:
        long, short = (tuple(backend.tokenizer.encode(text, special=False)) for text in ("One word," * 150, "Say hi."))
        said: dict[int, list[int]] = {1: [], 2: []}
        first: list[int] = []

        def step() -> list[Output]:
            outputs = list(backend.step())
            for output in outputs:
                if output.token is not None:
                    said[output.job_id].append(output.token)
                    first.append(output.job_id)
            return outputs

        backend.admit(Job(1, Generation(prompt=Prompt(long), sampling=GREEDY, max_tokens=4)), None)
        (read,) = [output.progress for output in step()]
        assert read is not None
        comes = True
        assert step() == []
        comes = False
        backend.admit(Job(2, Generation(prompt=Prompt(short), sampling=GREEDY, max_tokens=4)), None)
        while len(said[1]) < 4 or len(said[2]) < 4:
            for output in step():
                if output.job_id == 2 and len(said[2]) == 4:
                    backend.drop(2)
        assert first[0] == 2
        for prompt, tokens in ((long, said[1]), (short, said[2])):
            assert_same(tokens[:4], smollm2_reference.greedy(prompt, 4), backend.card.eos_ids, near_tie=NEAR_TIE)
    finally:
        backend.close()
