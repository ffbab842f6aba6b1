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
LENGTH: Final = 4
LEAST: Final = 1e-4
TEXT: Final = "The keeper of the lighthouse wrote that"


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


async def compared(engines: Pair, count: int, sampling: Sampling, *, is_right: bool) -> None:
    """The prediction is the likeliest reply, or wrong behind its first token."""
    tokens = tuple(await engines.plain.tokenize(TEXT, special=True))
    generation = Generation(prompt=Prompt(tokens), sampling=sampling, max_tokens=LENGTH, ignore_eos=True)
    likely = (await whole(engines.plain, replace(generation, sampling=Sampling(temperature=0)))).tokens
    wrong = tuple((token + 7) % engines.plain.card.vocabulary for token in likely[1:])
    prediction = likely if is_right else (likely[0], *wrong)
    ours = await sampled(engines.drafting, replace(generation, prediction=prediction), range(count))
    theirs = await sampled(engines.plain, generation, range(count, 2 * count))
    assert theirs.accepted == theirs.rejected == 0
    assert ours.rejected > 0
    assert ours.accepted > 0 or not is_right
    assert len(ours.replies) > 10
    assert p_value(ours.replies, theirs.replies) > LEAST
    # Of other temperatures the test can tell them.
    hotter = replace(generation, sampling=replace(sampling, temperature=2 * sampling.temperature))
    others = await sampled(engines.plain, hotter, range(2 * count, 3 * count))
    assert p_value(ours.replies, others.replies) < LEAST


@pytest.mark.parametrize("is_right", [True, False], ids=["right", "wrong"])
async def test_a_tiny_model(llama_cpp: LlamaCppLoader, tmp_path: Path, is_right: bool) -> None:
    async with pair(llama_cpp, write_llama(tmp_path / "tiny.gguf")) as engines:
        await compared(engines, 800, Sampling(temperature=3.0, top_k=3), is_right=is_right)


CHAINS: Final = {
    "top k": Sampling(temperature=1.0, top_k=4),
    "top p": Sampling(temperature=1.0, top_p=0.6),
    "min p": Sampling(temperature=1.2, min_p=0.2),
    "typical": Sampling(temperature=1.0, typical_p=0.5, top_k=10),
    "penalties": Sampling(temperature=1.0, top_k=4, repetition_penalty=1.2, presence_penalty=0.3),
    "xtc": Sampling(temperature=1.0, top_k=6, xtc_probability=0.5, xtc_threshold=0.1),
}


@pytest.mark.extended
@pytest.mark.timeout(900)
@pytest.mark.parametrize("is_right", [True, False], ids=["right", "wrong"])
@pytest.mark.parametrize("chain", CHAINS)
async def test_a_real_model(
    llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path], chain: str, is_right: bool
) -> None:
    async with pair(llama_cpp, model_file(SMOLLM2)) as engines:
        await compared(engines, 640, CHAINS[chain], is_right=is_right)


async def test_the_p_values_are_those_of_tables() -> None:
    """Abramowitz and Stegun, table 26.8."""
    for freedom, statistic, chance in ((1, 3.84146, 0.05), (2, 9.21034, 0.01), (5, 20.515, 0.001), (10, 18.307, 0.05)):
        assert survival(statistic, freedom) == pytest.approx(chance, rel=1e-3)
    assert survival(0, 4) == 1
