"""SmolLM2 on the Transformers loader, beside Transformers' own `generate`.

The same replies, and eight at once cost far less than eight times one.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import torch

from modules.backends.transformers.library import transformers
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Generation, Prompt
from modules.sampling import Sampling
from tests.backends.llamacpp.texts import PROMPTS
from tests.backends.loading import transformers_engine, transformers_spec
from tests.streams import whole

pytestmark = [pytest.mark.model, pytest.mark.extended, pytest.mark.asyncio(loop_scope="session")]

COUNT = 24
NEAR_TIE = 0.5


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def engine(smollm2_folder: Path) -> AsyncIterator[ThreadedEngine]:
    spec = transformers_spec(smollm2_folder, context=1024, cache_tokens=8192, parallel=8)
    async with transformers_engine(spec) as engine:
        yield engine


@pytest.fixture(scope="module")
def model(smollm2_folder: Path) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(smollm2_folder, dtype=torch.float32).eval()


def greedy(tokens: Sequence[int], count: int = COUNT, **fields: Any) -> Generation:
    return Generation(prompt=Prompt(tuple(tokens)), sampling=Sampling(temperature=0), max_tokens=count, **fields)


def generated(model: Any, prompt: Sequence[int], count: int = COUNT) -> tuple[list[int], list[float]]:
    """Tokens by `generate`, and by how many logits each was ahead of the second."""
    ids = torch.tensor([list(prompt)])
    made = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=count,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
    )
    leads = [float(row[0].topk(2).values.diff().abs()) for row in made.logits]
    return [int(token) for token in made.sequences[0, len(prompt) :]], leads


@pytest.mark.timeout(600)
async def test_greedy_replies_are_those_of_generate(engine: ThreadedEngine, model: Any) -> None:
    prompts = [await engine.tokenize(text, special=True) for text in PROMPTS[:20]]
    assert len(prompts) == 20
    together = await asyncio.gather(*(whole(engine, greedy(prompt)) for prompt in prompts))
    for prompt, among in zip(prompts, together, strict=True):
        expected, leads = generated(model, prompt)
        said = [token for token in expected if token not in engine.card.eos_ids]
        assert list((await whole(engine, greedy(prompt))).tokens) == said
        differs = next(
            (at for at, pair in enumerate(zip(among.tokens, said, strict=False)) if pair[0] != pair[1]), None
        )
        # In a batch sums are made in another order.
        assert differs is None or leads[differs] < NEAR_TIE


@pytest.mark.timeout(600)
async def test_eight_at_once_take_less_than_three_eighths_of_one_after_another(
    engine: ThreadedEngine, model: Any
) -> None:
    prompts = [await engine.tokenize(text, special=True) for text in PROMPTS[:8]]
    generations = [greedy(prompt, 48, ignore_eos=True) for prompt in prompts]
    seconds = {}
    for name, width in (("warm", 8), ("eight", 8), ("one", 1)):
        started = time.process_time()
        for first in range(0, 8, width):
            await asyncio.gather(*(whole(engine, each) for each in generations[first : first + width]))
        seconds[name] = time.process_time() - started
    started = time.process_time()
    for prompt in prompts:
        generated(model, prompt, 48)
    seconds["generate"] = time.process_time() - started
    print(seconds)  # noqa: T201 - for docs/PERFORMANCE.md
    assert seconds["eight"] * 3 < seconds["one"]
    assert seconds["eight"] * 2 < seconds["generate"]
