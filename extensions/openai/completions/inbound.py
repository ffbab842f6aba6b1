"""The body of a text completion request → our CompletionRequest. Pure; raises BadRequest."""

from dataclasses import dataclass
from typing import Final

from extensions.openai.common.generation import adapters_of, explicit_of, keep_alive_of, limits_of, sampling_of
from extensions.openai.common.messages import message_of
from extensions.openai.completions.schema import DEFAULT_MAX_TOKENS, TextCompletionRequest
from extensions.openai.structured.constraint import constraint_of
from modules.errors import BadRequest
from modules.requests import CompletionRequest
from modules.sampling import Sampling
from modules.settings.values import Settings

# Each reply is a job with a sequence of its own; more would only wait in the queue and hold memory.
_MAX_REPLIES: Final = 2048


@dataclass(frozen=True, slots=True)
class Choosing:
    """Of `made` replies per prompt the best `kept` are returned."""

    made: int
    kept: int


def completion_request(
    body: TextCompletionRequest, settings: Settings, *, defaults: Sampling | None = None
) -> CompletionRequest:
    """`defaults` stand in for the settings' sampling. Raises BadRequest."""
    prompts = _prompts(body)
    choosing = choosing_of(body)
    if len(prompts) * choosing.made > _MAX_REPLIES:
        raise BadRequest(f"One request can ask for {_MAX_REPLIES} replies at most.", param="prompt")
    return CompletionRequest(
        model=body.model,
        explicit=explicit_of(body),
        keep_alive=keep_alive_of(body),
        adapters=adapters_of(body),
        prompts=prompts,
        sampling=sampling_of(body, defaults or settings.sampling),
        limits=limits_of(body, max_tokens=_max_tokens(body), n=choosing.made),
        constraint=constraint_of(body),
        suffix=body.suffix or None,
        logprobs=0 if body.logprobs is None and choosing.made > choosing.kept else body.logprobs,
        prompt_logprobs=body.logprobs if body.echo else None,
        add_bos=body.add_bos_token is not False,
    )


def choosing_of(body: TextCompletionRequest) -> Choosing:
    """Raises BadRequest."""
    kept = body.n or 1
    made = kept if body.best_of is None else body.best_of
    if made < kept:
        raise BadRequest("best_of must be at least n.", param="best_of")
    if made > kept and body.stream:
        raise BadRequest("best_of cannot be streamed: the best reply is known only at the end.", param="best_of")
    return Choosing(made, kept)


def _max_tokens(body: TextCompletionRequest) -> int:
    if body.max_tokens == 0 and not (body.echo and body.logprobs is not None):
        raise BadRequest("max_tokens 0 only scores the prompt; it needs echo and logprobs.", param="max_tokens")
    return DEFAULT_MAX_TOKENS if body.max_tokens is None else body.max_tokens


def _prompts(body: TextCompletionRequest) -> tuple[str | tuple[int, ...], ...]:
    if body.prompt is not None:
        return tuple(prompt if isinstance(prompt, str) else tuple(prompt) for prompt in body.prompt)
    if body.messages is not None:
        messages = (message_of(message, f"messages[{number}]") for number, message in enumerate(body.messages))
        return ("".join(message.text for message in messages),)
    raise BadRequest("prompt is missing.", param="prompt")
