"""Log-probabilities: one per token, best alternatives first, sums that can be."""

import math

import pytest

from modules.engine.types import Prompt, TokenLogprob
from modules.sampling import Sampling
from tests.backends.contract.subjects import Subject
from tests.streams import chunks_of, whole

pytestmark = pytest.mark.asyncio(loop_scope="session")


def assert_plausible(scored: TokenLogprob, wanted: int) -> None:
    assert scored.logprob <= 0
    assert len(scored.top) == wanted
    ranked = [alternative.logprob for alternative in scored.top]
    assert ranked == sorted(ranked, reverse=True)
    assert sum(map(math.exp, ranked)) <= 1.001
    for alternative in scored.top:
        if alternative.token == scored.token:
            assert alternative.logprob == pytest.approx(scored.logprob, abs=1e-5)


@pytest.mark.parametrize("wanted", [0, 1, 5])
async def test_every_token_has_its_logprob(subject: Subject, wanted: int) -> None:
    reply = await whole(subject.engine, await subject.generation(logprobs=wanted))
    assert [scored.token for scored in reply.logprobs] == list(reply.tokens)
    for scored in reply.logprobs:
        assert_plausible(scored, wanted)
    data = b"".join(scored.data for scored in reply.logprobs)
    assert data.decode("utf-8", "replace") == reply.text


async def test_logprobs_come_with_the_text_that_they_are_of(subject: Subject) -> None:
    for chunk in await chunks_of(subject.engine, await subject.generation(logprobs=1)):
        assert [scored.token for scored in chunk.logprobs] == list(chunk.tokens)


async def test_nobody_gets_logprobs_unasked(subject: Subject) -> None:
    reply = await whole(subject.engine, await subject.generation())
    assert (reply.logprobs, reply.prompt_logprobs) == ((), None)


async def test_greedy_tokens_are_the_best_alternative(subject: Subject) -> None:
    reply = await whole(subject.engine, await subject.generation(logprobs=2))
    assert [scored.top[0].token for scored in reply.logprobs] == list(reply.tokens)


@pytest.mark.parametrize("wanted", [0, 3])
@pytest.mark.parametrize("max_tokens", [0, 2])
async def test_prompt_logprobs(subject: Subject, wanted: int, max_tokens: int) -> None:
    generation = await subject.generation(prompt_logprobs=wanted, max_tokens=max_tokens)
    chunks = await chunks_of(subject.engine, generation)
    (scored,) = [chunk.prompt_logprobs for chunk in chunks if chunk.prompt_logprobs is not None]
    assert scored[0] is None
    assert len(scored) == len(generation.prompt.tokens)
    for entry, token in zip(scored[1:], generation.prompt.tokens[1:], strict=True):
        assert entry is not None
        assert entry.token == token
        assert_plausible(entry, wanted)
    assert sum(len(chunk.tokens) for chunk in chunks) == max_tokens


async def test_the_prompt_of_one_token_has_nothing_to_score(subject: Subject) -> None:
    generation = await subject.filled(1, prompt_logprobs=2, max_tokens=0)
    assert (await whole(subject.engine, generation)).prompt_logprobs == (None,)


async def test_reply_and_prompt_are_scored_alike(subject: Subject) -> None:
    """What the reply's tokens got when they were said, they get again when they are read."""
    generation = await subject.generation(logprobs=0, max_tokens=6)
    said = await whole(subject.engine, generation)
    both = Prompt((*generation.prompt.tokens, *said.tokens))
    read = await whole(subject.engine, await subject.generation(prompt=both, prompt_logprobs=0, max_tokens=0))
    assert read.prompt_logprobs is not None
    scored = [entry.logprob for entry in read.prompt_logprobs[-6:] if entry is not None]
    assert scored == pytest.approx([entry.logprob for entry in said.logprobs], abs=0.25)


async def test_logprobs_after_the_samplers(subject: Subject) -> None:
    narrow = Sampling(top_k=2, temperature=0.7, seed=1)
    generation = await subject.generation(sampling=narrow, logprobs=5, sampled_logprobs=True)
    for scored in (await whole(subject.engine, generation)).logprobs:
        if subject.draws:
            assert sum(math.exp(alternative.logprob) for alternative in scored.top) == pytest.approx(1, abs=1e-3)
            assert len(scored.top) == 2
