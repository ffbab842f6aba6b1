"""What a face asks the product for, whichever API the words came from."""

from dataclasses import dataclass, field
from typing import Any

from modules.engine.types import Constraint
from modules.messages import Message, ToolSpec
from modules.sampling import Sampling


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a reply ends; `max_tokens` None fills the context. `n` is the number of choices."""

    max_tokens: int | None = None
    min_tokens: int = 0
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    ignore_eos: bool = False
    n: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A reply to a conversation. `template_arguments` are passed on to the chat template (thinking switches and such)."""

    model: str | None
    messages: tuple[Message, ...]
    sampling: Sampling = field(default_factory=Sampling)
    limits: Limits = field(default_factory=Limits)
    tools: tuple[ToolSpec, ...] = ()
    constraint: Constraint | None = None
    logprobs: int | None = None
    continue_last: bool = False
    template_arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """Going on from raw prompts, each a text or token ids; choice `i * n + j` is sample `j` of prompt `i`."""

    model: str | None
    prompts: tuple[str | tuple[int, ...], ...]
    sampling: Sampling = field(default_factory=Sampling)
    limits: Limits = field(default_factory=Limits)
    constraint: Constraint | None = None
    logprobs: int | None = None
    prompt_logprobs: int | None = None
    add_bos: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LogitsRequest:
    """The distribution of the next token after `prompt`: `top` entries, before or after the samplers."""

    model: str | None
    prompt: str
    top: int = 50
    sampling: Sampling | None = None
