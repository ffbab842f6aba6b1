"""Events → replies: as far as they have come, and whole."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from modules.engine.types import TokenLogprob, Usage
from modules.events import (
    Content,
    ContentPreview,
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
    accumulator = ReplyAccumulator()
    async with aclosing(events):
        async for event in events:
            accumulator.add(event)
    return accumulator.reply()


def total_usage(prompt_tokens: int, choices: list[Usage]) -> Usage:
    """The cost of a request whose prompts have `prompt_tokens` together, from that of each choice. 0 is not known: then
    the choices say it, each of its own share."""
    of_choices = sum(usage.prompt_tokens for usage in choices)
    prompt_tokens = prompt_tokens or of_choices
    computed = sum(usage.prompt_tokens - usage.cached_tokens for usage in choices)
    completion = sum(usage.completion_tokens for usage in choices)
    return Usage(
        prompt_tokens,
        completion,
        max(0, prompt_tokens - computed),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in choices),
        accepted_tokens=sum(usage.accepted_tokens for usage in choices),
        rejected_tokens=sum(usage.rejected_tokens for usage in choices),
        forced_tokens=sum(usage.forced_tokens for usage in choices),
        predicted_tokens=sum(usage.predicted_tokens for usage in choices),
        mispredicted_tokens=sum(usage.mispredicted_tokens for usage in choices),
        has_prediction=any(usage.has_prediction for usage in choices),
        # Each prompt is that of as many choices.
        image_tokens=sum(usage.image_tokens for usage in choices) * prompt_tokens // max(1, of_choices),
        audio_tokens=sum(usage.audio_tokens for usage in choices) * prompt_tokens // max(1, of_choices),
        disk_tokens=sum(usage.disk_tokens for usage in choices),
        shared_tokens=sum(usage.shared_tokens for usage in choices),
        moved_tokens=sum(usage.moved_tokens for usage in choices),
        prompt_steps=sum(usage.prompt_steps for usage in choices),
    )


class ReplyAccumulator:
    """Takes in the events of a reply; `reply` is what they have come to when all choices are done."""

    def __init__(self) -> None:
        self.started: Started | None = None
        self._choices: dict[int, ChoiceAccumulator] = {}

    def add(self, event: Event) -> None:
        if isinstance(event, Started):
            self.started = event
        else:
            self.choice(event.index).add(event)

    def choice(self, index: int) -> "ChoiceAccumulator":
        return self._choices.setdefault(index, ChoiceAccumulator())

    def reply(self) -> Reply:
        assert self.started is not None, "a reply without Started"
        choices = tuple(self._choices[index].finished() for index in sorted(self._choices))
        usage = total_usage(self.started.prompt_tokens, [choice.usage for choice in choices])
        return Reply(model=self.started.model, choices=choices, usage=usage)


class ChoiceAccumulator:
    """What the events of one choice have come to so far. `drafted` is its text before extensions change it, None where
    they leave it alone."""

    def __init__(self) -> None:
        self.done: Done | None = None
        self._text: list[str] = []
        self._drafted: list[str] | None = None
        self._reasoning: list[str] = []
        self._calls: dict[int, tuple[str, str, list[str]]] = {}
        self._complete: set[int] = set()
        self._tokens: list[int] = []
        self._logprobs: list[TokenLogprob] = []
        self._prompt_logprobs: tuple[TokenLogprob | None, ...] | None = None

    @property
    def text(self) -> str:
        return _joined(self._text)

    @property
    def drafted(self) -> str | None:
        return None if self._drafted is None else _joined(self._drafted)

    @property
    def reasoning(self) -> str:
        return _joined(self._reasoning)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """All that were begun, with as much of their arguments as there is."""
        return tuple(ToolCall(call_id, name, _joined(pieces)) for call_id, name, pieces in self._calls.values())

    def add(self, event: Event) -> None:
        match event:
            case Content(text=text):
                self._text.append(text)
                self._tokens += event.tokens
                self._logprobs += event.logprobs
            case ContentPreview(text=text):
                self._drafted = self._drafted or []
                self._drafted.append(text)
            case Reasoning(text=text):
                self._reasoning.append(text)
                self._logprobs += event.logprobs
            case PromptScored(logprobs=logprobs):
                self._prompt_logprobs = logprobs
            case ToolCallStart(call=call):
                self._calls[call] = (event.id, event.name, [])
            case ToolCallDelta(call=call):
                self._calls[call][2].append(event.arguments)
            case ToolCallEnd(call=call):
                self._complete.add(call)
            case Done():
                self.done = event

    def finished(self) -> Choice:
        done = self.done
        assert done is not None, "a choice without Done"
        is_cut = done.reason is FinishReason.LENGTH
        calls = zip(self._calls, self.calls, strict=True)
        return Choice(
            index=done.index,
            text=self.text,
            reasoning=self.reasoning,
            tool_calls=tuple(
                call for number, call in calls if number in self._complete or (is_cut and number == max(self._calls))
            ),
            tokens=tuple(self._tokens),
            logprobs=tuple(self._logprobs),
            prompt_logprobs=self._prompt_logprobs,
            reason=done.reason,
            stop_reason=done.stop_reason,
            usage=done.usage,
        )


def _joined(pieces: list[str]) -> str:
    """Joined once: who looks at a reply after each event joins what is new only."""
    if len(pieces) > 1:
        pieces[:] = ["".join(pieces)]
    return pieces[0] if pieces else ""
