"""Samplers on a real model: what needs its vocabulary, and many settings at once."""

import asyncio
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from modules.engine.protocols import Engine
from modules.engine.types import Generation, Prompt
from modules.sampling import SAMPLER_ORDER, Sampling
from tests.streams import whole

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]

CHANT = "la la lo, la la lo, la la lo, la la"
RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 5),
    "dynatemp_low": (0, 5),
    "dynatemp_high": (0, 5),
    "dynatemp_exponent": (0.1, 5),
    "smoothing_factor": (0, 10),
    "smoothing_curve": (1, 10),
    "top_p": (0, 1),
    "min_p": (0, 1),
    "top_n_sigma": (0, 5),
    "typical_p": (0, 1),
    "xtc_threshold": (0, 0.5),
    "xtc_probability": (0, 1),
    "epsilon_cutoff": (0, 9),
    "eta_cutoff": (0, 20),
    "tfs": (0, 1),
    "top_a": (0, 1),
    "adaptive_target": (0, 1),
    "adaptive_decay": (0, 0.99),
    "dry_multiplier": (0, 5),
    "dry_base": (1, 4),
    "repetition_penalty": (1, 1.5),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
    "encoder_repetition_penalty": (0.8, 1.5),
    "mirostat_tau": (0, 10),
    "mirostat_eta": (0, 1),
}
WHOLE: dict[str, tuple[Any, ...]] = {
    "top_k": (0, 1, 40, 200),
    "dry_allowed_length": (1, 2, 20),
    "no_repeat_ngram_size": (0, 1, 3),
    "repetition_penalty_range": (0, 1, 64, 4096),
    "mirostat_mode": (0, 1, 2),
    "dynamic_temperature": (False, True),
    "do_sample": (True, True, False),
    "temperature_last": (False, True),
    "seed": (None, 1),
}


async def prompt_of(engine: Engine, text: str) -> Prompt:
    return Prompt(tuple(await engine.tokenize(text, special=True)))


async def said(engine: Engine, text: str, count: int = 6, **parameters: Any) -> str:
    sampling = Sampling(**{"temperature": 0, **parameters})
    generation = Generation(prompt=await prompt_of(engine, text), sampling=sampling, max_tokens=count, ignore_eos=True)
    return (await whole(engine, generation)).text


async def test_dry_ends_a_chant_unless_a_breaker_stands_in_it(smollm2: Engine) -> None:
    plain = await said(smollm2, CHANT)
    assert plain.startswith(" lo")
    assert not (await said(smollm2, CHANT, dry_multiplier=5.0)).startswith(" lo")
    assert (await said(smollm2, CHANT, dry_multiplier=5.0, dry_sequence_breakers=(" la",))).startswith(" lo")


@pytest.mark.parametrize("breaker", ["", "\0", "\ud800", "long " * 40, "🙂", "<|im_end|>"], ids=ascii)
async def test_strange_breakers_break_nothing(smollm2: Engine, breaker: str) -> None:
    assert await said(smollm2, CHANT, dry_multiplier=5.0, dry_sequence_breakers=(breaker, ","))
    assert smollm2.is_alive


@pytest.mark.parametrize(("reach", "comes_again"), [(8, True), (0, False), (4096, False)])
async def test_how_far_back_penalties_look(smollm2: Engine, reach: int, comes_again: bool) -> None:
    zebra, *_ = await smollm2.tokenize(" zebra", special=False)
    text = "Once a zebra sang:" + " la la lo," * 40
    reply = await said(
        smollm2, text, 1, logit_bias={zebra: 40.0}, presence_penalty=80.0, repetition_penalty_range=reach
    )
    assert (reply == await smollm2.detokenize([zebra])) == comes_again


async def test_thirty_settings_drawn_by_lot(smollm2: Engine) -> None:
    lot = Random(1)
    prompt = await prompt_of(smollm2, "<|im_start|>user\nTell me a story.<|im_end|>\n<|im_start|>assistant\n")
    generations = [
        Generation(
            prompt=prompt,
            sampling=drawn(lot),
            max_tokens=5,
            ignore_eos=True,
            logprobs=lot.choice((None, 0, 5)),
            sampled_logprobs=lot.random() < 0.5,
        )
        for _ in range(30)
    ]
    replies = await asyncio.gather(*(whole(smollm2, generation) for generation in generations))
    assert [len(reply.tokens) for reply in replies] == [5] * 30
    assert smollm2.is_alive


def drawn(lot: Random) -> Sampling:
    """About half of all parameters, at any values, in any order."""
    values: dict[str, Any] = {name: lot.uniform(*bounds) for name, bounds in RANGES.items() if lot.random() < 0.5}
    values |= {name: lot.choice(choices) for name, choices in WHOLE.items() if lot.random() < 0.5}
    order = tuple(lot.sample(SAMPLER_ORDER, len(SAMPLER_ORDER)))
    return replace(Sampling(**values), sampler_priority=order, banned_tokens=(0,))


async def test_control_tokens_are_shown_only_when_asked_for(smollm2: Engine) -> None:
    (control,) = await smollm2.tokenize("<|im_start|>", special=True)
    forced = Generation(
        prompt=await prompt_of(smollm2, "Hello"), sampling=Sampling(logit_bias={control: 100.0}), max_tokens=2
    )
    hidden = await whole(smollm2, forced)
    assert (hidden.text, hidden.tokens) == ("", (control, control))
    shown = await whole(smollm2, replace(forced, skip_special_tokens=False))
    assert shown.text == "<|im_start|><|im_start|>"
    named = await whole(smollm2, replace(forced, logprobs=1))
    assert [scored.data for scored in named.logprobs] == [b"<|im_start|>"] * 2


async def test_stop_strings_may_be_control_tokens_that_are_shown(smollm2: Engine) -> None:
    (control,) = await smollm2.tokenize("<|im_start|>", special=True)
    forced = Generation(
        prompt=await prompt_of(smollm2, "Hello"),
        sampling=Sampling(logit_bias={control: 100.0}),
        max_tokens=9,
        skip_special_tokens=False,
        stop=("start|><|",),
    )
    reply = await whole(smollm2, forced)
    assert (reply.text, reply.stop_reason) == ("<|im_", "start|><|")
