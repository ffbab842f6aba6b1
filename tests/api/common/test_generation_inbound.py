"""Generation fields → sampling and limits."""

from typing import Any

import pytest

from extensions.openai.common.generation import GenerationFields, ignored_parameters, limits_of, sampling_of
from modules.requests import Limits
from modules.sampling import SAMPLER_ORDER, Sampling

DEFAULTS = Sampling(temperature=0.7, top_p=0.9, seed=None)


def fields_of(**fields: Any) -> GenerationFields:
    return GenerationFields.model_validate(fields)


def sampling(**fields: Any) -> Sampling:
    return sampling_of(fields_of(**fields), DEFAULTS)


def test_what_is_not_asked_for_is_as_the_server_has_it() -> None:
    assert sampling() == DEFAULTS
    assert sampling(temperature=None, logit_bias=None) == DEFAULTS
    assert sampling(temperature=0).temperature == 0
    assert sampling(do_sample=False).do_sample is False


def test_every_sampling_field_arrives() -> None:
    """Each is asked for at a value that is not the default, so none can be lost."""
    special = {"seed", "sampler_priority", "banned_tokens", "logit_bias", "dry_sequence_breakers", "top_k"}
    for name in sorted(set(Sampling.__dataclass_fields__) - special):
        neutral = getattr(DEFAULTS, name)
        other = not neutral if isinstance(neutral, bool) else 1 if neutral == 0 else neutral / 2
        other = int(other) if isinstance(neutral, int) and not isinstance(neutral, bool) else other
        assert getattr(sampling(**{name: other}), name) == other, name


@pytest.mark.parametrize(("asked", "given"), [(-1, 0), (0, 0), (40, 40)])
def test_top_k_may_be_off_in_two_ways(asked: int, given: int) -> None:
    assert sampling(top_k=asked).top_k == given


@pytest.mark.parametrize(("asked", "given"), [(-1, None), (0, 0), (7, 7), (2**32 + 7, 7), (-2, 2**32 - 2)])
def test_seeds_fit_into_32_bits(asked: int, given: int | None) -> None:
    assert sampling(seed=asked).seed == given


@pytest.mark.parametrize(
    "asked", [["min_p", "top_k"], "min_p\ntop_k", "min_p, top_k", ["min_p", "new", "top_k", "min_p"]]
)
def test_samplers_run_in_the_order_asked_for(asked: object) -> None:
    assert sampling(sampler_priority=asked).sampler_priority == ("min_p", "top_k")


@pytest.mark.parametrize("asked", [[], "", ["new"]])
def test_an_order_without_known_samplers_is_none(asked: object) -> None:
    assert sampling(sampler_priority=asked).sampler_priority == SAMPLER_ORDER


def test_tokens_and_texts_in_their_several_spellings() -> None:
    asked = sampling(custom_token_bans="5, 7", logit_bias={"3": -100}, dry_sequence_breakers='"\\n", "x"')
    assert asked.banned_tokens == (5, 7)
    assert asked.logit_bias == {3: -100}
    assert asked.dry_sequence_breakers == ("\n", "x")


def test_limits() -> None:
    fields = fields_of(stop=["a", ""], stop_token_ids=[5], min_tokens=2, ban_eos_token=True)
    assert limits_of(fields, max_tokens=9, n=2) == Limits(
        max_tokens=9, min_tokens=2, stop=("a",), stop_token_ids=(5,), ignore_eos=True, n=2
    )
    assert limits_of(fields_of(auto_max_new_tokens=True), max_tokens=9, n=1).max_tokens is None


def test_what_a_backend_lacks_is_named_only_if_it_was_asked_for() -> None:
    unsupported = ("tfs", "top_a", "static_cache")
    assert ignored_parameters(fields_of(tfs=1, top_a=0.2, temperature=3), unsupported) == ("top_a",)
    assert ignored_parameters(fields_of(guidance_scale=1, penalty_alpha=0.5), ()) == ("penalty_alpha",)
