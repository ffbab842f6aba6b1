"""Events → answers: calls, thoughts and their log probabilities, whole and streamed. The events are written here."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from openai.lib.streaming.chat._completions import ChatCompletionStreamState

from extensions.openai.chat.outbound import CallStyle, ChatPresentation, ChatStream, chat_completion
from modules.engine.types import TokenLogprob, Usage
from modules.events import (
    Content,
    Done,
    Event,
    FinishReason,
    Reasoning,
    Started,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)
from modules.reply.gather import gather
from tests.api.serving import chunks_of
from tests.api.strictness import strict_chat, strict_chat_chunks

STARTED = Started(model="m", prompt_tokens=5)
USAGE = Usage(prompt_tokens=5, completion_tokens=9, cached_tokens=2, reasoning_tokens=3)
CUSTOM = CallStyle(customs=frozenset({"patch"}))
LEGACY = CallStyle(is_legacy=True)


def done(reason: FinishReason = FinishReason.TOOL_CALLS, index: int = 0) -> Done:
    return Done(index=index, reason=reason, usage=USAGE)


def call(number: int, name: str, *pieces: str, index: int = 0, ends: bool = True) -> list[Event]:
    start = ToolCallStart(index=index, call=number, id=f"call_{number}", name=name)
    end = [ToolCallEnd(index=index, call=number)] if ends else []
    return [start, *(ToolCallDelta(index=index, call=number, arguments=piece) for piece in pieces), *end]


WEATHER = call(0, "weather", '{"city":', ' "Rome"}')
TIME = call(1, "time", "{", "}")


def streamed(events: Sequence[Event], presentation: ChatPresentation | None = None, **options: Any) -> str:
    settings: dict[str, Any] = {"n": 1, "wants_usage": False, "fills_deltas": False, **options}
    stream = ChatStream(presentation or ChatPresentation(), **settings)
    return b"".join([*(stream.encode(event) for event in (STARTED, *events)), stream.end()]).decode()


def deltas(
    events: Sequence[Event], presentation: ChatPresentation | None = None, **options: Any
) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in chunks_of(streamed(events, presentation, **options))]


async def body_of(events: Sequence[Event], presentation: ChatPresentation) -> dict[str, Any]:
    async def source() -> AsyncGenerator[Event, None]:
        for event in (STARTED, *events):
            yield event

    answer = chat_completion(await gather(source()), presentation)
    body: dict[str, Any] = answer.model_dump(mode="json", exclude_unset=True)
    return body


async def whole(events: Sequence[Event], presentation: ChatPresentation | None = None) -> dict[str, Any]:
    body = await body_of(events, presentation or ChatPresentation())
    strict_chat(body)
    return body


def test_id_type_and_name_come_once() -> None:
    events = [Content(index=0, text="Let me see."), *WEATHER, *TIME, done()]
    strict_chat_chunks(streamed(events))
    assert deltas(events) == [
        {"role": "assistant", "content": ""},
        {"content": "Let me see."},
        {"tool_calls": [_first(0, "weather")]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ' "Rome"}'}}]},
        {"tool_calls": [_first(1, "time")]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "{"}}]},
        {"tool_calls": [{"index": 1, "function": {"arguments": "}"}}]},
        {"content": ""},
    ]


def _first(number: int, name: str) -> dict[str, Any]:
    function = {"name": name, "arguments": ""}
    return {"index": number, "id": f"call_{number}", "type": "function", "function": function}


async def test_whole_calls() -> None:
    [choice] = (await whole([Content(index=0, text="Let me see."), *WEATHER, *TIME, done()]))["choices"]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"] == {
        "role": "assistant",
        "content": "Let me see.",
        "refusal": None,
        "tool_calls": [
            {"id": "call_0", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}},
            {"id": "call_1", "type": "function", "function": {"name": "time", "arguments": "{}"}},
        ],
    }


async def test_content_is_null_only_beside_calls() -> None:
    [choice] = (await whole([*WEATHER, done()]))["choices"]
    assert choice["message"]["content"] is None
    [silent] = (await whole([Reasoning(index=0, text="hm"), done(FinishReason.STOP)]))["choices"]
    assert silent["message"] == {"role": "assistant", "content": "", "refusal": None, "reasoning_content": "hm"}


async def test_a_call_that_was_broken_off_is_told_with_its_reason() -> None:
    events = [*call(0, "weather", '{"city": "Ro', ends=False), done(FinishReason.LENGTH)]
    [choice] = (await whole(events))["choices"]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"city": "Ro'
    assert chunks_of(streamed(events))[-1]["choices"][0]["finish_reason"] == "length"


async def test_free_text_calls_have_their_own_shape() -> None:
    events = [*call(0, "patch", '{"inp', 'ut": "a', r"\n", 'b"', "}"), *call(1, "weather", "{}"), done()]
    presentation = ChatPresentation(calls=CUSTOM)
    [choice] = (await whole(events, presentation))["choices"]
    assert choice["message"]["tool_calls"] == [
        {"id": "call_0", "type": "custom", "custom": {"name": "patch", "input": "a\nb"}},
        {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
    ]
    calls = [delta["tool_calls"][0] for delta in deltas(events, presentation) if "tool_calls" in delta]
    assert calls[:4] == [
        {"index": 0, "id": "call_0", "type": "custom", "custom": {"name": "patch", "input": ""}},
        {"index": 0, "custom": {"input": "a"}},
        {"index": 0, "custom": {"input": "\n"}},
        {"index": 0, "custom": {"input": "b"}},
    ]


def test_free_text_that_is_not_written_as_asked_is_given_at_the_end() -> None:
    calls = deltas([*call(0, "patch", '{"text": ', '"a"}'), done()], ChatPresentation(calls=CUSTOM))[2:-1]
    assert calls == [{"tool_calls": [{"index": 0, "custom": {"input": '{"text": "a"}'}}]}]


async def test_the_older_form() -> None:
    presentation = ChatPresentation(calls=LEGACY)
    [choice] = (await whole([*WEATHER, done()], presentation))["choices"]
    assert choice["finish_reason"] == "function_call"
    assert choice["message"] == {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "function_call": {"name": "weather", "arguments": '{"city": "Rome"}'},
    }
    text = streamed([*WEATHER, done()], presentation)
    strict_chat_chunks(text)
    assert deltas([*WEATHER, done()], presentation)[1:-1] == [
        {"function_call": {"name": "weather", "arguments": ""}},
        {"function_call": {"arguments": '{"city":'}},
        {"function_call": {"arguments": ' "Rome"}'}},
    ]
    assert chunks_of(text)[-1]["choices"][0]["finish_reason"] == "function_call"


def test_readers_that_take_content_for_granted_find_it_in_every_delta() -> None:
    events = [Reasoning(index=0, text="hm"), Content(index=0, text="Well."), *WEATHER, done()]
    assert "".join(delta["content"] for delta in deltas(events, fills_deltas=True)) == "Well."


@pytest.mark.parametrize("style", [CallStyle(), CUSTOM, LEGACY])
@pytest.mark.parametrize("reason", FinishReason)
async def test_each_choice_ends_once_and_in_the_same_way(style: CallStyle, reason: FinishReason) -> None:
    calls = [*WEATHER, *call(0, "patch", '{"input": "x"}', index=1)]
    events = [*calls, done(reason), done(reason, index=1)]
    presentation = ChatPresentation(calls=style)
    ends = [choice["finish_reason"] for choice in (await whole(events, presentation))["choices"]]
    chunks = chunks_of(streamed(events, presentation, n=2))
    streamed_ends = [chunk["choices"][0] for chunk in chunks if chunk["choices"][0]["finish_reason"]]
    assert [choice["finish_reason"] for choice in streamed_ends] == ends
    assert [choice["index"] for choice in streamed_ends] == [0, 1]


async def test_the_clients_reader_puts_two_calls_together() -> None:
    events = [Reasoning(index=0, text="hm"), Content(index=0, text="So:"), *WEATHER, *TIME, done()]
    state: ChatCompletionStreamState[None] = ChatCompletionStreamState()
    for chunk in strict_chat_chunks(streamed(events, wants_usage=True)):
        state.handle_chunk(chunk)
    completion = state.get_final_completion().model_dump(mode="json")
    expected = await whole(events)
    assert completion["usage"]["completion_tokens_details"]["reasoning_tokens"] == 3
    assert completion["choices"][0]["finish_reason"] == "tool_calls"
    message, whole_message = completion["choices"][0]["message"], expected["choices"][0]["message"]
    assert message["content"] == whole_message["content"]
    assert message["reasoning_content"] == whole_message["reasoning_content"]
    calls = [(each["id"], each["function"]["name"], each["function"]["arguments"]) for each in message["tool_calls"]]
    assert calls == [("call_0", "weather", '{"city": "Rome"}'), ("call_1", "time", "{}")]


def scored(text: str) -> tuple[TokenLogprob, ...]:
    return (TokenLogprob(1, text.encode(), -0.5),)


async def test_log_probabilities_of_thoughts_and_hidden_tokens_are_there_in_order() -> None:
    events = [
        Reasoning(index=0, text="hm", logprobs=scored("hm")),
        Content(index=0, text="", logprobs=scored("<call>")),
        *WEATHER,
        Content(index=0, text="Well.", logprobs=scored("Well.")),
        done(),
    ]
    presentation = ChatPresentation(has_logprobs=True)
    [choice] = (await whole(events, presentation))["choices"]
    tokens = [token["token"] for token in choice["logprobs"]["content"]]
    assert tokens == ["hm", "<call>", "Well."]
    text = streamed(events, presentation)
    strict_chat_chunks(text)
    parts = [chunk["choices"][0]["logprobs"] for chunk in chunks_of(text)]
    assert [token["token"] for part in parts if part for token in part["content"]] == tokens


async def test_a_reply_of_calls_alone_still_has_its_logprobs_object() -> None:
    [choice] = (await whole([*WEATHER, done()], ChatPresentation(has_logprobs=True)))["choices"]
    assert choice["logprobs"] == {"content": [], "refusal": None}


async def test_thoughts_are_counted() -> None:
    body = await whole([Reasoning(index=0, text="hm"), Content(index=0, text="x"), done(FinishReason.STOP)])
    assert body["usage"]["completion_tokens_details"]["reasoning_tokens"] == 3


async def test_drafted_tokens_are_counted() -> None:
    usage = Usage(3, 9, accepted_tokens=5, rejected_tokens=2)
    body = await whole([Content(index=0, text="x"), Done(index=0, reason=FinishReason.STOP, usage=usage)])
    assert body["usage"]["completion_tokens_details"] == {
        "reasoning_tokens": 0,
        "accepted_prediction_tokens": 5,
        "rejected_prediction_tokens": 2,
    }


async def test_a_request_with_a_prediction_is_told_of_its_own_tokens() -> None:
    usage = Usage(3, 9, accepted_tokens=5, rejected_tokens=2, predicted_tokens=4, mispredicted_tokens=1)
    for has_prediction, counts in ((False, (5, 2)), (True, (4, 1))):
        ended = Done(index=0, reason=FinishReason.STOP, usage=replace(usage, has_prediction=has_prediction))
        details = (await whole([Content(index=0, text="x"), ended]))["usage"]["completion_tokens_details"]
        assert (details["accepted_prediction_tokens"], details["rejected_prediction_tokens"]) == counts


@pytest.mark.parametrize("mirrors", [True, False])
async def test_calls_stand_beside_the_message_only_for_plain_scripts(mirrors: bool) -> None:
    (choice,) = (await body_of([*WEATHER, done()], ChatPresentation(mirrors_calls=mirrors)))["choices"]
    assert choice.get("tool_calls") == (choice["message"]["tool_calls"] if mirrors else None)
