"""A job of a backend that has no samplers of its own: bans, the end's time, and constraints."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from modules.backends.sampling.job_sampler import JobSampler
from modules.backends.sampling.logprobs import Row
from modules.backends.sampling.row_sampler import sampler_of_rows
from modules.backends.sampling.stages import SamplerFacts
from modules.backends.scripted.backend import ScriptedTokenizer
from modules.engine.constraints.compiler import Constraints
from modules.engine.types import Constraint, Generation, Prompt, Thought
from modules.errors import EngineFailed
from modules.sampling import Sampling

TOKENIZER = ScriptedTokenizer()
SIZE = TOKENIZER.size
ENDS = tuple(sorted(TOKENIZER.end_ids))
NUMBER = Constraint(kind="regex", text="[0-9]{3}-[a-c]")


def sampler_for(history: list[int], **fields: Any) -> JobSampler:
    generation = Generation(prompt=Prompt(tuple(history)), **fields)
    guide = Constraints(TOKENIZER).prepare(generation)
    return sampler_of_rows(generation, history, SamplerFacts(SIZE, 256, tuple(history)), ENDS, guide)


def row_of(numbers: np.random.Generator) -> Row:
    return numbers.normal(scale=3, size=SIZE).astype(np.float32)


def reply(limit: int = 40, seed: int = 1, **fields: Any) -> list[int]:
    """Tokens up to an end, each from a row of its own."""
    history: list[int] = list(TOKENIZER.encode("Hello", special=False))
    start, numbers = len(history), np.random.default_rng(seed)
    sampler = sampler_for(history, **fields)
    while len(history) - start < limit and not sampler.is_complete:
        token = sampler.sample(row_of(numbers))
        sampler.accept(token)
        if token in ENDS:
            break
        history.append(token)
    sampler.close()
    return history[start:]


def text(tokens: Sequence[int]) -> str:
    return TOKENIZER.decode(tokens)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"temperature": 0},
        {"top_k": 3},
        {"top_p": 0.1, "temperature": 3.0},
        {"mirostat_mode": 2},
        {"mirostat_mode": 1},
        {"adaptive_target": 0.3},
        {"dry_multiplier": 1.0, "repetition_penalty": 1.2},
    ],
    ids=str,
)
@pytest.mark.parametrize("reports", [False, True])
def test_constraints_hold_with_all_samplers(parameters: dict[str, Any], reports: bool) -> None:
    sampling = Sampling(seed=1, **parameters)
    for seed in range(5):
        said = text(reply(seed=seed, sampling=sampling, constraint=NUMBER, sampled_logprobs=reports))
        assert re.fullmatch(NUMBER.text, said)


def test_a_constraint_wins_over_bans_of_all_that_it_allows() -> None:
    letters = TOKENIZER.encode("abc0123456789-", special=False)
    banned = Sampling(seed=1, banned_tokens=tuple(letters))
    assert re.fullmatch(NUMBER.text, text(reply(sampling=banned, constraint=NUMBER)))


def test_a_constraint_begins_after_the_thought_and_its_budget() -> None:
    thought = Thought(end="]", is_open=True, budget=3)
    tokens = reply(sampling=Sampling(seed=1), constraint=NUMBER, thought=thought)
    assert re.fullmatch(r"[^\]]*\][0-9]{3}-[a-c]", text(tokens), re.DOTALL)


def test_no_end_before_its_time() -> None:
    eager = Sampling(seed=1, logit_bias=dict.fromkeys(ENDS, 100.0))
    assert reply(sampling=eager) == []
    assert len(reply(sampling=eager, min_tokens=7)) == 7
    assert len(reply(sampling=eager, ignore_eos=True, limit=30)) == 30


def test_banning_everything_fails_the_job() -> None:
    with pytest.raises(EngineFailed, match="exclude all"):
        reply(sampling=Sampling(banned_tokens=tuple(range(SIZE))))


def test_reported_is_what_was_left() -> None:
    row = np.zeros(SIZE, dtype=np.float32)
    row[[5, 6]] = 20
    sampler = sampler_for([1], sampling=Sampling(seed=1, top_k=2), sampled_logprobs=True)
    sampler.sample(row)
    assert sampler.remaining is not None
    ids, logprobs = sampler.remaining
    assert sorted(ids.tolist()) == [5, 6]
    assert np.exp(logprobs) == pytest.approx([0.5, 0.5])
    silent = sampler_for([1], sampling=Sampling(seed=1, top_k=2))
    silent.sample(row)
    assert silent.remaining is None


def test_penalties_see_what_was_said() -> None:
    row = np.zeros(SIZE, dtype=np.float32)
    row[[5, 6, 7]] = 3.0, 2.9, 2.8
    history = [9]
    sampler = sampler_for(history, sampling=Sampling(temperature=0, presence_penalty=1.0))
    said = []
    for _ in range(3):
        said.append(sampler.sample(row.copy()))
        sampler.accept(said[-1])
        history.append(said[-1])
    assert said == [5, 6, 7]
