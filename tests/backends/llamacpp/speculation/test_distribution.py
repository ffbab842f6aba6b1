"""Chi-square tests: what is sampled beside drafts has the distribution that it has without them."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.backends.llamacpp.speculation import planner
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Generation, Prompt
from modules.sampling import Sampling
from tests.backends.llamacpp.speculation.flat_costs import FallingCosts
from tests.backends.llamacpp.tiny_models import write_llama
from tests.backends.loading import llama_engine, llama_spec
from tests.chi_square import p_value, survival
from tests.model_files import SMOLLM2
from tests.streams import whole

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]

PARALLEL: Final = 16
LENGTH: Final = 3
LEAST: Final = 1e-4
TEXT: Final = "The keeper of the lighthouse wrote that"
# Of log probabilities: so much of a difference is rounding, and so little moves nothing across a cut.
MOST_NOISE: Final = 0.5
LEAST_NOISE: Final = 0.001


@dataclass(frozen=True, slots=True)
class Pair:
    """The same model with drafts at every step, and without."""

    drafting: ThreadedEngine
    plain: ThreadedEngine


@asynccontextmanager
async def pair(loader: LlamaCppLoader, path: Path) -> AsyncIterator[Pair]:
    spec = llama_spec(path, context=512, parallel=PARALLEL, self_test=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planner, "StepCosts", FallingCosts)
        async with AsyncExitStack() as stack:
            drafting = await stack.enter_async_context(llama_engine(loader, replace(spec, ngram_tokens=64)))
            yield Pair(drafting, await stack.enter_async_context(llama_engine(loader, spec)))


@dataclass(frozen=True, slots=True)
class Sample:
    """Replies, how often each was given, and what of them was drafted."""

    replies: Counter[tuple[int, ...]]
    accepted: int
    rejected: int


async def sampled(engine: ThreadedEngine, generation: Generation, seeds: Sequence[int]) -> Sample:
    replies: Counter[tuple[int, ...]] = Counter()
    accepted = rejected = 0
    for start in range(0, len(seeds), PARALLEL):
        seeded = [
            replace(generation, sampling=replace(generation.sampling, seed=seed))
            for seed in seeds[start : start + PARALLEL]
        ]
        for reply in await asyncio.gather(*(whole(engine, each) for each in seeded)):
            assert reply.usage is not None
            replies[reply.tokens] += 1
            accepted += reply.usage.accepted_tokens
            rejected += reply.usage.rejected_tokens
    return Sample(replies, accepted, rejected)


async def rounding(engines: Pair, generation: Generation) -> float:
    """How much the log probabilities of the greedy reply differ in steps with drafts. Both models read the prompt alone:
    one that is read beside others, in steps of 64 tokens and more, is computed by another kernel, and found later."""
    greedy = replace(generation, sampling=Sampling(temperature=0), logprobs=8)
    plain = await whole(engines.plain, greedy)
    await whole(engines.drafting, greedy)  # nothing is drafted before steps were measured
    drafted = await whole(engines.drafting, replace(greedy, prediction=plain.tokens))
    assert plain.logprobs is not None
    assert drafted.logprobs is not None
    assert drafted.usage is not None
    assert drafted.usage.accepted_tokens > 0
    differences = [
        abs(ours.logprob - theirs.logprob)
        for one, other in zip(drafted.logprobs, plain.logprobs, strict=True)
        for ours, theirs in zip(one.top, other.top, strict=True)
    ]
    return max(differences)


async def compared(
    engines: Pair, count: int, sampling: Sampling, *, is_right: bool, is_told_apart: bool = False, cuts: bool = False
) -> None:
    """The prediction is the most frequent reply, or wrong behind its first token. With `is_told_apart` another temperature has
    to be seen in as many replies."""
    tokens = tuple(await engines.plain.tokenize(TEXT, special=True))
    generation = Generation(prompt=Prompt(tokens), sampling=sampling, max_tokens=LENGTH, ignore_eos=True)
    noise = await rounding(engines, generation)
    assert noise < MOST_NOISE
    if cuts and noise > LEAST_NOISE:
        pytest.skip("Steps of other widths round otherwise on this processor, which moves what just missed a cut.")
    theirs = await sampled(engines.plain, generation, range(count, 2 * count))
    likely = theirs.replies.most_common(1)[0][0]
    wrong = tuple((token + 7) % engines.plain.card.vocabulary for token in likely[1:])
    prediction = likely if is_right else (likely[0], *wrong)
    ours = await sampled(engines.drafting, replace(generation, prediction=prediction), range(count))
    assert theirs.accepted == theirs.rejected == 0
    assert ours.rejected > 0
    assert ours.accepted > 0 or not is_right
    assert len(ours.replies) > 10
    assert p_value(ours.replies, theirs.replies) > LEAST
    if is_told_apart:
        hotter = replace(generation, sampling=replace(sampling, temperature=1.5 * sampling.temperature))
        others = await sampled(engines.plain, hotter, range(2 * count, 3 * count))
        assert p_value(ours.replies, others.replies) < LEAST


@pytest.mark.parametrize("is_right", [True, False], ids=["right", "wrong"])
async def test_a_tiny_model(llama_cpp: LlamaCppLoader, tmp_path: Path, is_right: bool) -> None:
    async with pair(llama_cpp, write_llama(tmp_path / "tiny.gguf")) as engines:
        await compared(engines, 800, Sampling(temperature=1.5), is_right=is_right, is_told_apart=True)


CHAINS: Final = {
    "temperature": Sampling(temperature=0.6),
    "top k": Sampling(temperature=0.7, top_k=40),
    "top p": Sampling(temperature=0.7, top_p=0.97),
    "min p": Sampling(temperature=0.7, min_p=0.01),
    "penalties": Sampling(temperature=0.6, repetition_penalty=1.2, presence_penalty=0.3),
}
# What they cut is likely: of two tokens that are as likely another one would be left out where steps round otherwise.
CUTS: Final = {
    "hard top k": Sampling(temperature=0.7, top_k=4),
    "hard top p": Sampling(temperature=0.7, top_p=0.6),
    "typical": Sampling(temperature=0.7, typical_p=0.6),
    "xtc": Sampling(temperature=0.7, xtc_probability=0.5, xtc_threshold=0.1),
}


@pytest.mark.extended
@pytest.mark.timeout(900)
@pytest.mark.parametrize("is_right", [True, False], ids=["right", "wrong"])
@pytest.mark.parametrize("chain", [*CHAINS, *CUTS])
async def test_a_real_model(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], chain: str, is_right: bool
) -> None:
    async with pair(llama_cpp, model_file(SMOLLM2)) as engines:
        await compared(engines, 320, (CHAINS | CUTS)[chain], is_right=is_right, cuts=chain in CUTS)


async def test_the_p_values_are_those_of_tables() -> None:
    """Abramowitz and Stegun, table 26.8."""
    for freedom, statistic, chance in ((1, 3.84146, 0.05), (2, 9.21034, 0.01), (5, 20.515, 0.001), (10, 18.307, 0.05)):
        assert survival(statistic, freedom) == pytest.approx(chance, rel=1e-3)
    assert survival(0, 4) == 1
