"""Requests → what the engine is asked for."""

from dataclasses import replace
from typing import Any

import pytest

from modules.chatmodels.generations import (
    chat_generations,
    completion_generations,
    logits_generation,
)
from modules.chatmodels.local import local_card
from modules.engine.types import Constraint, Prompt
from modules.errors import NotSupported
from modules.messages import Role, text_message
from modules.prompt.builder import ChatPrompt
from modules.prompt.templates.choice import ChatTemplate
from modules.reply.format import PLAIN, ReplyFormat
from modules.requests import ChatRequest, CompletionRequest, Limits, LogitsRequest
from modules.sampling import Sampling
from tests.scripted import scripted_card

CARD = scripted_card(context=20)
PROMPT = Prompt((1, 2, 3))
WRITTEN = ChatPrompt(PROMPT, "", ChatTemplate("source"))
CONSTRAINT = Constraint(kind="regex", text="a", param="tool_choice")


def chat(**options: Any) -> ChatRequest:
    return ChatRequest(model=None, messages=(text_message(Role.USER, "hi"),), **options)


def written(*, stop: tuple[str, ...], stop_token_ids: tuple[int, ...]) -> ChatPrompt:
    return replace(WRITTEN, template=ChatTemplate("source", stop), stop_token_ids=stop_token_ids)


def test_everything_that_was_asked_for_goes_down() -> None:
    limits = Limits(max_tokens=7, min_tokens=2, stop=("x",), stop_token_ids=(9,), ignore_eos=True)
    sampling = Sampling(temperature=0.5, seed=1)
    [generation] = chat_generations(
        CARD, chat(limits=limits, sampling=sampling, logprobs=3), written(stop=("y", "x"), stop_token_ids=(3,)), PLAIN
    )
    assert (generation.prompt, generation.sampling, generation.logprobs) == (PROMPT, sampling, 3)
    assert (generation.max_tokens, generation.min_tokens, generation.ignore_eos) == (7, 2, True)
    assert (generation.stop, generation.stop_token_ids) == (("x", "y"), (9, 3))


@pytest.mark.parametrize(("wanted", "given"), [(None, 17), (100, 17), (5, 5)])
def test_reply_fills_at_most_the_context(wanted: int | None, given: int) -> None:
    [generation] = chat_generations(CARD, chat(limits=Limits(max_tokens=wanted)), WRITTEN, PLAIN)
    assert generation.max_tokens == given


def test_seed_counts_up_over_the_choices() -> None:
    generations = chat_generations(CARD, chat(limits=Limits(n=3), sampling=Sampling(seed=5)), WRITTEN, PLAIN)
    assert [generation.sampling.seed for generation in generations] == [5, 6, 7]


def test_without_a_seed_every_choice_draws_its_own() -> None:
    generations = chat_generations(CARD, chat(limits=Limits(n=8)), WRITTEN, PLAIN)
    seeds = {generation.sampling.seed for generation in generations}
    assert len(seeds) == 8
    assert None not in seeds


def test_choices_of_many_prompts_follow_the_prompts() -> None:
    request = CompletionRequest(model=None, prompts=("a", "b"), limits=Limits(n=2), sampling=Sampling(seed=5))
    generations = completion_generations(CARD, request, [Prompt((1,)), Prompt((2,))])
    assert [(each.prompt.tokens, each.sampling.seed) for each in generations] == [
        ((1,), 5),
        ((1,), 6),
        ((2,), 5),
        ((2,), 6),
    ]


def test_scoring_is_a_generation_of_no_tokens() -> None:
    request = CompletionRequest(model=None, prompts=("a",), limits=Limits(max_tokens=0), prompt_logprobs=2)
    [generation] = completion_generations(CARD, request, [Prompt((1,) * 20)])
    assert (generation.max_tokens, generation.prompt_logprobs) == (0, 2)


def test_next_token_is_greedy_and_raw_without_samplers() -> None:
    generation = logits_generation(LogitsRequest(model=None, prompt="a", top=7), PROMPT)
    assert (generation.max_tokens, generation.logprobs, generation.sampled_logprobs) == (1, 7, False)
    assert generation.sampling.is_greedy


def test_next_token_after_samplers() -> None:
    sampling = Sampling(top_k=3)
    generation = logits_generation(LogitsRequest(model=None, prompt="a", sampling=sampling), PROMPT)
    assert (generation.sampling, generation.sampled_logprobs) == (sampling, True)


def test_backend_that_cannot_constrain_refuses() -> None:
    unable, constrained = scripted_card(can_constrain=False), ReplyFormat(constraint=CONSTRAINT)
    with pytest.raises(NotSupported, match="format") as raised:
        chat_generations(unable, chat(), WRITTEN, constrained)
    assert raised.value.param == "tool_choice"
    able = scripted_card(can_constrain=True)
    assert chat_generations(able, chat(), WRITTEN, constrained)[0].constraint == CONSTRAINT


def test_backend_that_cannot_score_refuses() -> None:
    request = CompletionRequest(model=None, prompts=("a",), prompt_logprobs=0)
    with pytest.raises(NotSupported, match="score"):
        completion_generations(scripted_card(can_score=False), request, [PROMPT])


def test_only_parameters_that_were_set_are_called_ignored() -> None:
    card = scripted_card(unsupported=("tfs", "top_a", "not_a_parameter"))
    assert local_card(card).ignored(Sampling(tfs=0.5, top_k=3)) == ("tfs",)
