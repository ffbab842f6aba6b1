"""What measurements choose: the standing default, unless a candidate wins beyond doubt."""

import random

import pytest

from modules.backends.llamacpp.options import LlamaCppOptions
from modules.backends.llamacpp.tuning.choices import (
    LEAST_PAIRS,
    MARGIN,
    MOST_TRIES,
    Questions,
    TimedPair,
    TunedChoice,
    both,
    is_better,
    questions_for,
)


def pairs(*ratios: float) -> list[TimedPair]:
    return [TimedPair(2.0, 2.0 * ratio) for ratio in ratios]


def test_a_clear_winner_is_taken() -> None:
    assert is_better(pairs(0.8, 0.85, 0.82, 0.81, 0.79))


def test_one_disturbed_pair_does_not_hide_a_winner() -> None:
    assert is_better(pairs(0.8, 3.0, 0.82, 0.81, 0.79))


@pytest.mark.parametrize(
    "ratios",
    [
        (1.0, 1.0, 1.0),
        (0.97, 0.98, 0.96),  # within what runs differ by
        (0.5, 1.2, 1.1, 0.6, 0.7),  # a machine that does something else
        (1.3, 1.2, 1.1),
        (0.5,) * (LEAST_PAIRS - 1),
        (),
    ],
)
def test_else_the_default_stays(ratios: tuple[float, ...]) -> None:
    assert not is_better(pairs(*ratios))


def test_what_makes_no_difference_is_hardly_ever_chosen() -> None:
    draw = random.Random(7)
    chosen = sum(is_better(pairs(*(draw.gauss(1.0, 0.04) for _ in range(5)))) for _ in range(1000))
    assert chosen <= 10


def test_prefill_and_decode_count_alike() -> None:
    gain, loss = pairs(0.8, 0.8, 0.8), pairs(1.25, 1.25, 1.25)
    assert not is_better(both(gain, loss))
    assert is_better(both(gain, pairs(1.0, 1.0, 1.0)))


def test_only_what_is_on_automatic_is_asked() -> None:
    free = questions_for(LlamaCppOptions(), uses_gpu=False, cores=8, logical_cores=16)
    assert free == Questions(flash=True, ubatches=(64, 256), threads=(6, 4), threads_batch=(16,))
    stated = LlamaCppOptions(flash_attn="on", ubatch_size=128, threads=4)
    assert questions_for(stated, uses_gpu=False, cores=8, logical_cores=16).is_empty
    assert not questions_for(LlamaCppOptions(flash_attn="off"), uses_gpu=False, cores=2, logical_cores=2).flash


def test_a_quantized_cache_has_flash_attention() -> None:
    assert not questions_for(LlamaCppOptions(cache_type="q8_0"), uses_gpu=False, cores=2, logical_cores=2).flash


def test_a_card_is_not_asked_for_more_memory() -> None:
    assert max(questions_for(LlamaCppOptions(), uses_gpu=True, cores=2, logical_cores=2).ubatches) < 512


def test_few_cores_are_all_used() -> None:
    asked = questions_for(LlamaCppOptions(), uses_gpu=False, cores=2, logical_cores=2)
    assert (asked.threads, asked.threads_batch) == ((), ())


def test_what_was_stated_stays() -> None:
    choice = TunedChoice("off", 256, 4, 16)
    found = choice.applied(LlamaCppOptions(threads=2, ubatch_size=64, flash_attn="on"))
    assert (found.flash_attn, found.ubatch_size, found.threads, found.threads_batch) == ("on", 64, 2, 0)
    free = choice.applied(LlamaCppOptions())
    assert (free.flash_attn, free.ubatch_size, free.threads, free.threads_batch) == ("off", 256, 4, 16)


def test_a_question_without_time_is_asked_again_but_not_for_ever() -> None:
    assert TunedChoice().is_settled
    assert not TunedChoice(is_complete=False).is_settled
    assert TunedChoice(is_complete=False, tries=MOST_TRIES).is_settled


def test_the_margin_is_more_than_noise() -> None:
    assert MARGIN >= 0.04
