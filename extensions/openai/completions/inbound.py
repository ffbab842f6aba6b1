"""The body of a text completion request → our CompletionRequest. Pure; raises BadRequest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from extensions.openai.common.generation import adapters_of, explicit_of, keep_alive_of, limits_of, sampling_of
from extensions.openai.common.media_parts import placed_at_markers, raw_media
from extensions.openai.common.messages import ChatMessage, parts_of
from extensions.openai.completions.schema import DEFAULT_MAX_TOKENS, MultimodalPrompt, TextCompletionRequest
from extensions.openai.structured.constraint import constraint_of
from modules.errors import BadRequest
from modules.messages import FilePart, Part, TextPart
from modules.requests import CompletionRequest, MixedPrompt
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


def _prompts(body: TextCompletionRequest) -> tuple[str | tuple[int, ...] | MixedPrompt, ...]:
    if body.prompt is not None:
        return tuple(_prompt(prompt, f"prompt[{number}]") for number, prompt in enumerate(body.prompt))
    if body.messages is not None:
        return (_of_messages(body.messages),)
    raise BadRequest("prompt is missing.", param="prompt")


def _prompt(prompt: str | list[int] | MultimodalPrompt, path: str) -> str | tuple[int, ...] | MixedPrompt:
    match prompt:
        case str():
            return prompt
        case MultimodalPrompt():
            data = enumerate(prompt.multimodal_data)
            media = [raw_media(each, f"{path}.multimodal_data[{number}]") for number, each in data]
            return _mixed([[*media, TextPart(prompt.prompt_string)]], path)
    return tuple(prompt)


def _of_messages(messages: Sequence[ChatMessage]) -> str | MixedPrompt:
    return _mixed([parts_of(message, f"messages[{number}]") for number, message in enumerate(messages)], "messages")


def _mixed(messages: Sequence[Sequence[Part]], path: str) -> str | MixedPrompt:
    for part in (part for parts in messages for part in parts if isinstance(part, FilePart)):
        raise BadRequest("A text completion reads no files. Send a chat completion.", param=part.param)
    parts = placed_at_markers(messages, param=path)
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    if len(texts) == len(parts):
        return "".join(texts)
    return MixedPrompt(tuple(part for part in parts if not isinstance(part, FilePart)))
