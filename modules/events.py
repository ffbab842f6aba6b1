"""The events of a reply, in the order in which they happen; each API turns them into its own shape."""

from dataclasses import dataclass
from enum import StrEnum

from modules.engine.types import PromptProgress, TokenLogprob, Usage
from modules.sampling import Sampling


class FinishReason(StrEnum):
    """Why a choice ended, in OpenAI's words."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyFacts:
    """What a reply depends on, for its receipt. Digests are SHA-256, in hexadecimal: of the prompts' tokens as 64-bit
    little-endian numbers, of the template's source, and a sampled one of the model's file. `seeds` are one for each
    choice. `replay` are the model's settings that change which tokens it chooses."""

    prompts: tuple[str, ...]
    template: str
    model: str
    seeds: tuple[int, ...]
    sampling: Sampling
    constraint: str | None
    replay: tuple[tuple[str, str | int | bool], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The request is accepted and about to run on `model`; always the first event.

    `facts` are there where the request asked for them. `unsupported` are the sampling parameters that the model's backend does not have, `repairs` what had to be done with
    the conversation for its chat template to take it, `lore` the entries of lorebooks that are in the prompt.
    """

    model: str
    prompt_tokens: int
    unsupported: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    lore: tuple[str, ...] = ()
    facts: ReplyFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The prompt of choice `index` is being read; sent only while nothing else is."""

    index: int
    prompt: PromptProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Visible text of choice `index`, with the tokens it came from when logprobs were asked for.

    `starts` says of each of `logprobs` at which character of `text` its token begins; behind its end where that part of
    the text is still held back and comes with the next one."""

    index: int
    text: str
    tokens: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    starts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """Thought of choice `index`, not part of its visible text; `starts` as of Content."""

    index: int
    text: str
    tokens: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()
    starts: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentPreview:
    """Visible text of choice `index` as the model says it, while extensions hold it back: the Content that follows is
    what they made of all of it."""

    index: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptScored:
    """Logprobs of the prompt's own tokens (first entry None), sent once before any Content of that choice."""

    index: int
    logprobs: tuple[TokenLogprob | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallStart:
    index: int
    call: int
    id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallDelta:
    index: int
    call: int
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallEnd:
    index: int
    call: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """Choice `index` is complete. `stop_reason` is the stop string or token id that ended it, if one did."""

    index: int
    reason: FinishReason
    usage: Usage
    stop_reason: str | int | None = None


Event = (
    Started
    | Progress
    | Content
    | ContentPreview
    | Reasoning
    | PromptScored
    | ToolCallStart
    | ToolCallDelta
    | ToolCallEnd
    | Done
)
