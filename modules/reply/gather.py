"""Events → whole replies: the answer of a request that does not stream is its stream, read to the end."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field

from modules.engine.types import TokenLogprob, Usage
from modules.events import (
    Content,
    Done,
    Event,
    FinishReason,
    PromptScored,
    Reasoning,
    Started,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)
from modules.messages import ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One complete reply. `prompt_logprobs` are of the prompt's own tokens, if they were asked for. A call that broke off
    is none, except where there was no room for the rest of it."""

    index: int
    text: str
    reasoning: str
    tool_calls: tuple[ToolCall, ...]
    tokens: tuple[int, ...]
    logprobs: tuple[TokenLogprob, ...]
    prompt_logprobs: tuple[TokenLogprob | None, ...] | None
    reason: FinishReason
    stop_reason: str | int | None
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Every choice of a request, by index, and what the request cost.

    `usage` counts a prompt that several choices share once; `cached_tokens` are those that no choice had to compute.
    """

    model: str
    choices: tuple[Choice, ...]
    usage: Usage


async def gather(events: AsyncGenerator[Event, None]) -> Reply:
    """Reads `events` to the end and closes it."""
    draft = _Draft()
    async with aclosing(events):
        async for event in events:
            draft.add(event)
    return draft.reply()


def total_usage(prompt_tokens: int, choices: list[Usage]) -> Usage:
    """The cost of a request whose prompts have `prompt_tokens` together, from that of each choice."""
    computed = sum(usage.prompt_tokens - usage.cached_tokens for usage in choices)
    completion = sum(usage.completion_tokens for usage in choices)
    return Usage(
        prompt_tokens,
        completion,
        max(0, prompt_tokens - computed),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in choices),
        accepted_tokens=sum(usage.accepted_tokens for usage in choices),
        rejected_tokens=sum(usage.rejected_tokens for usage in choices),
    )


@dataclass(slots=True)
class _ChoiceDraft:
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: dict[int, tuple[str, str, list[str]]] = field(default_factory=dict)
    complete: set[int] = field(default_factory=set)
    tokens: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    prompt_logprobs: tuple[TokenLogprob | None, ...] | None = None

    def finished(self, done: Done) -> Choice:
        calls = (
            ToolCall(call_id, name, "".join(arguments))
            for number, (call_id, name, arguments) in self.calls.items()
            if number in self.complete or (done.reason is FinishReason.LENGTH and number == max(self.calls))
        )
        return Choice(
            index=done.index,
            text="".join(self.text),
            reasoning="".join(self.reasoning),
            tool_calls=tuple(calls),
            tokens=tuple(self.tokens),
            logprobs=tuple(self.logprobs),
            prompt_logprobs=self.prompt_logprobs,
            reason=done.reason,
            stop_reason=done.stop_reason,
            usage=done.usage,
        )


class _Draft:
    def __init__(self) -> None:
        self._started: Started | None = None
        self._drafts: dict[int, _ChoiceDraft] = {}
        self._choices: dict[int, Choice] = {}

    def add(self, event: Event) -> None:
        match event:
            case Started():
                self._started = event
            case Content(index=index, text=text):
                self._draft(index).text.append(text)
                self._draft(index).tokens += event.tokens
                self._draft(index).logprobs += event.logprobs
            case Reasoning(index=index, text=text):
                self._draft(index).reasoning.append(text)
                self._draft(index).logprobs += event.logprobs
            case PromptScored(index=index, logprobs=logprobs):
                self._draft(index).prompt_logprobs = logprobs
            case ToolCallStart(index=index, call=call):
                self._draft(index).calls[call] = (event.id, event.name, [])
            case ToolCallDelta(index=index, call=call):
                self._draft(index).calls[call][2].append(event.arguments)
            case ToolCallEnd(index=index, call=call):
                self._draft(index).complete.add(call)
            case Done(index=index):
                self._choices[index] = self._draft(index).finished(event)

    def reply(self) -> Reply:
        assert self._started is not None, "a reply without Started"
        choices = tuple(self._choices[index] for index in sorted(self._choices))
        usage = total_usage(self._started.prompt_tokens, [choice.usage for choice in choices])
        return Reply(model=self._started.model, choices=choices, usage=usage)

    def _draft(self, index: int) -> _ChoiceDraft:
        return self._drafts.setdefault(index, _ChoiceDraft())
