"""Requests → what the engine is asked for: one generation per choice, within what the model can do."""

import hashlib
import secrets
from array import array
from collections.abc import Sequence
from dataclasses import replace

from modules.engine.types import Constraint, Generation, ModelCard, Prompt
from modules.errors import NotSupported
from modules.events import ReplyFacts
from modules.prompt.builder import ChatPrompt
from modules.prompt.tokens import reply_limit
from modules.reply.format import ReplyFormat
from modules.requests import ChatRequest, CompletionRequest, LogitsRequest
from modules.sampling import Sampling

# llama.cpp's seeds have 32 bits.
_SEEDS = 2**32


def chat_generations(
    card: ModelCard,
    request: ChatRequest,
    written: ChatPrompt,
    reply_format: ReplyFormat,
    prediction: tuple[int, ...] = (),
) -> list[Generation]:
    """One for each of `n` choices, expected to be like the `prediction`, ended where the chat template's next turn would begin."""
    _refuse_impossible(card, reply_format.constraint)
    limits = request.limits
    generation = Generation(
        prompt=written.prompt,
        sampling=request.sampling,
        max_tokens=reply_limit(card, written.prompt, limits.max_tokens),
        min_tokens=limits.min_tokens,
        stop=tuple(dict.fromkeys((*limits.stop, *written.template.stop))),
        stop_token_ids=tuple(dict.fromkeys((*limits.stop_token_ids, *written.stop_token_ids))),
        ignore_eos=limits.ignore_eos,
        logprobs=request.logprobs,
        constraint=reply_format.constraint,
        thought=reply_format.thought,
        prediction=prediction,
        skip_special_tokens=reply_format.skips_special_tokens,
    )
    return _samples(generation, limits.n)


def completion_generations(card: ModelCard, request: CompletionRequest, prompts: Sequence[Prompt]) -> list[Generation]:
    """`n` for each prompt, in the order of the prompts."""
    _refuse_impossible(card, request.constraint, scored=request.prompt_logprobs is not None)
    limits = request.limits
    generations = (
        Generation(
            prompt=prompt,
            sampling=request.sampling,
            max_tokens=reply_limit(card, prompt, limits.max_tokens),
            min_tokens=limits.min_tokens,
            stop=limits.stop,
            stop_token_ids=limits.stop_token_ids,
            ignore_eos=limits.ignore_eos,
            logprobs=request.logprobs,
            prompt_logprobs=request.prompt_logprobs,
            constraint=request.constraint,
            skip_special_tokens=request.skip_special_tokens,
        )
        for prompt in prompts
    )
    return [sample for generation in generations for sample in _samples(generation, limits.n)]


def logits_generation(request: LogitsRequest, prompt: Prompt) -> Generation:
    """One token, for the sake of the distribution that it is drawn from."""
    return Generation(
        prompt=prompt,
        sampling=request.sampling or Sampling(temperature=0),
        max_tokens=1,
        logprobs=request.top,
        sampled_logprobs=request.sampling is not None,
    )


def _samples(generation: Generation, count: int) -> list[Generation]:
    """Each with a seed of its own: drawn, or counted up from the one that was asked for."""
    given = generation.sampling.seed
    seeds = (secrets.randbelow(_SEEDS) if given is None else given + number for number in range(count))
    return [replace(generation, sampling=replace(generation.sampling, seed=seed)) for seed in seeds]


def _refuse_impossible(card: ModelCard, constraint: Constraint | None, *, scored: bool = False) -> None:
    if constraint is not None and not card.can_constrain:
        raise NotSupported("The loaded model's backend cannot constrain replies to a format.", param=constraint.param)
    if scored and not card.can_score:
        raise NotSupported("The loaded model's backend cannot score prompts; leave out echo.", param="echo")


def reply_facts(card: ModelCard, generations: Sequence[Generation], template: str, model: str) -> ReplyFacts:
    """What the replies to `generations` depend on: `template` is the source of the chat template, `model` the digest of its
    file."""
    first = generations[0]
    return ReplyFacts(
        prompts=tuple(dict.fromkeys(map(_digest, generations))),
        template=hashlib.sha256(template.encode("utf-8", "surrogatepass")).hexdigest() if template else "",
        model=model,
        seeds=tuple(each.sampling.seed or 0 for each in generations),
        sampling=first.sampling,
        constraint=None if first.constraint is None else first.constraint.kind,
        replay=card.replay,
    )


def _digest(generation: Generation) -> str:
    """Ids of pictures, below 0, are made of what is in them."""
    return hashlib.sha256(array("q", generation.prompt.tokens).tobytes()).hexdigest()
