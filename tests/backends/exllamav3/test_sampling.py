"""Which samplers are the library's own, and that they choose among what the shared ones leave."""

import types
from typing import Any

import numpy as np
import pytest
import torch

from modules.backends.sampling.row_sampler import RowSampler
from modules.backends.sampling.stages import SamplerFacts
from modules.engine.types import Generation, Prompt
from modules.sampling import SAMPLER_ORDER, Sampling

pytestmark = pytest.mark.model

SIZE = 64
HISTORY = [3, 5, 5, 9]
CUTS: dict[str, Any] = {"top_k": 12, "top_p": 0.8, "min_p": 0.05, "temperature": 0.7}


def steps(sampling: Sampling, **fields: Any) -> list[Any] | None:
    from modules.backends.exllamav3.sampling import device_steps  # noqa: PLC0415 - with the library

    generation = Generation(prompt=Prompt((1,)), sampling=sampling, **fields)
    return device_steps(generation, (0,), SIZE, guided=False)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(),
        Sampling(temperature=0),
        Sampling(**CUTS),
        Sampling(**CUTS, temperature_last=True),
        Sampling(repetition_penalty=1.3, presence_penalty=0.5, frequency_penalty=0.2, **CUTS),
        Sampling(logit_bias={7: 2.0}, banned_tokens=(8, 9), **CUTS),
        Sampling(top_p=0.7, top_k=20, sampler_priority=("top_p", "top_k", "temperature")),
    ],
    ids=["none", "greedy", "cuts", "last", "penalties", "bias", "order"],
)
def test_the_library_draws_among_what_ours_leave(exllamav3: types.ModuleType, sampling: Sampling) -> None:
    from modules.backends.exllamav3.library import CustomSampler  # noqa: PLC0415 - with the library

    found = steps(sampling)
    assert found is not None
    logits = torch.from_numpy(np.random.RandomState(4).normal(0, 3, SIZE).astype(np.float32))
    shared = RowSampler(sampling, SamplerFacts(vocabulary=SIZE, context=1024), 1)
    shared.sample(logits.numpy(), HISTORY)
    ids, logprobs = shared.remaining
    theirs = CustomSampler(found)
    past = torch.tensor([HISTORY])
    drawn = [int(theirs.forward(logits.clone().view(1, 1, -1), past, seed)) for seed in range(400)]
    assert set(drawn) <= set(ids.tolist())
    likeliest = ids[logprobs.argmax()]
    assert drawn.count(likeliest) / 400 == pytest.approx(np.exp(logprobs.max()), abs=0.12)


@pytest.mark.parametrize(
    "fields",
    [
        {"dynamic_temperature": True, "dynatemp_high": 2.0},
        {"smoothing_factor": 0.3},
        {"top_n_sigma": 1.0},
        {"typical_p": 0.9},
        {"epsilon_cutoff": 3.0},
        {"eta_cutoff": 3.0},
        {"tfs": 0.9},
        {"top_a": 0.2},
        {"xtc_probability": 0.5},
        {"dry_multiplier": 0.8},
        {"encoder_repetition_penalty": 1.2},
        {"no_repeat_ngram_size": 2},
        {"mirostat_mode": 2},
        {"adaptive_target": 0.5},
        {"repetition_penalty": 1.2, "sampler_priority": ("top_k", *SAMPLER_ORDER), "top_k": 5},
        {"banned_tokens": tuple(range(SIZE))},
    ],
    ids=str,
)
def test_what_the_library_lacks_is_drawn_by_the_shared_samplers(
    exllamav3: types.ModuleType, fields: dict[str, Any]
) -> None:
    assert steps(Sampling(**fields)) is None


def test_distributions_after_the_samplers_are_the_shared_ones(exllamav3: types.ModuleType) -> None:
    assert steps(Sampling(), sampled_logprobs=True) is None
