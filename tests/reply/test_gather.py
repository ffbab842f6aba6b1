"""Events → whole replies."""

from collections.abc import AsyncGenerator

import pytest

from modules.engine.types import TokenLogprob, Usage
from modules.errors import EngineFailed
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
from modules.reply.gather import ChoiceAccumulator, gather, total_usage

STARTED = Started(model="m", prompt_tokens=5)
LOGPROB = TokenLogprob(7, b"a", -0.5)


class Source:
    """A stream of events that knows whether it was closed."""

    def __init__(self, *events: Event, failure: Exception | None = None) -> None:
        self.events = events
        self.failure = failure
        self.is_closed = False

    async def stream(self) -> AsyncGenerator[Event, None]:
        try:
            for event in self.events:
                yield event
            if self.failure is not None:
                raise self.failure
        finally:
            self.is_closed = True


def done(index: int, usage: Usage, reason: FinishReason = FinishReason.STOP) -> Done:
    return Done(index=index, reason=reason, usage=usage)


async def test_choices_are_sorted_and_complete() -> None:
    source = Source(
        STARTED,
        PromptScored(index=1, logprobs=(None, LOGPROB)),
        Content(index=1, text="b", tokens=(1,), logprobs=(LOGPROB,)),
        Content(index=0, text="x"),
        Content(index=1, text="c", tokens=(2, 3)),
        done(1, Usage(5, 3, 0), FinishReason.LENGTH),
        Reasoning(index=0, text="hm"),
        done(0, Usage(5, 1, 4)),
    )
    reply = await gather(source.stream())
    assert reply.model == "m"
    first, second = reply.choices
    assert (first.index, first.text, first.reasoning, first.reason) == (0, "x", "hm", FinishReason.STOP)
    assert (second.text, second.tokens, second.logprobs) == ("bc", (1, 2, 3), (LOGPROB,))
    assert (second.prompt_logprobs, second.reason) == ((None, LOGPROB), FinishReason.LENGTH)
    assert source.is_closed


async def test_tool_calls_are_put_together() -> None:
    reply = await gather(
        Source(
            STARTED,
            ToolCallStart(index=0, call=0, id="c0", name="f"),
            ToolCallDelta(index=0, call=0, arguments='{"a"'),
            ToolCallStart(index=0, call=1, id="c1", name="g"),
            ToolCallDelta(index=0, call=0, arguments=":1}"),
            ToolCallEnd(index=0, call=0),
            ToolCallEnd(index=0, call=1),
            done(0, Usage(), FinishReason.TOOL_CALLS),
        ).stream()
    )
    assert reply.choices[0].tool_calls == (ToolCall("c0", "f", '{"a":1}'), ToolCall("c1", "g", ""))


async def test_failure_is_passed_on_and_the_stream_closed() -> None:
    source = Source(STARTED, failure=EngineFailed("gone"))
    with pytest.raises(EngineFailed, match="gone"):
        await gather(source.stream())
    assert source.is_closed


@pytest.mark.parametrize(
    ("prompt_tokens", "choices", "total"),
    [
        (100, [Usage(100, 7, 60)], Usage(100, 7, 60)),
        (100, [Usage(100, 7, 0), Usage(100, 8, 99)], Usage(100, 15, 0)),
        (100, [Usage(100, 7, 50), Usage(100, 8, 99)], Usage(100, 15, 49)),
        (30, [Usage(10, 1, 4), Usage(20, 2, 5)], Usage(30, 3, 9)),
        (9, [Usage(9, 4, 0, 1, 2, 3), Usage(9, 4, 9, 2, 1, 0)], Usage(9, 8, 0, 3, 3, 3)),
    ],
    ids=["one", "shared cold prompt", "shared warm prompt", "two prompts", "drafts"],
)
def test_cached_are_the_tokens_that_nobody_computed(prompt_tokens: int, choices: list[Usage], total: Usage) -> None:
    assert total_usage(prompt_tokens, choices) == total


def test_accumulator_tells_how_far_a_choice_has_come() -> None:
    choice = ChoiceAccumulator()
    assert (choice.text, choice.drafted, choice.calls) == ("", None, ())
    for event in (
        Reasoning(index=0, text="hm"),
        ContentPreview(index=0, text="so"),
        ContentPreview(index=0, text=" so"),
        Content(index=0, text="SO"),
        ToolCallStart(index=0, call=0, id="c0", name="f"),
        ToolCallDelta(index=0, call=0, arguments='{"a"'),
    ):
        choice.add(event)
    assert (choice.reasoning, choice.drafted, choice.text) == ("hm", "so so", "SO")
    assert choice.calls == (ToolCall("c0", "f", '{"a"'),)
    choice.add(done(0, Usage(), FinishReason.TOOL_CALLS))
    # A call that broke off is no call.
    assert choice.finished().tool_calls == ()
