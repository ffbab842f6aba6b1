"""Our events → the events of a response, in the order that the official client and Codex read."""

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from extensions.openai.common.items.schema import sealed
from extensions.openai.responses.inbound import ResponsePresentation
from extensions.openai.responses.outbound import ResponseStream
from extensions.openai.responses.schema import ResponseObject, TextEcho
from modules.engine.types import Alternative, TokenLogprob, Usage
from modules.errors import Busy, ContextTooLong
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
from tests.api.responses.reading import assert_numbered, events_of, kinds, strict_response

STARTED = Started(model="m", prompt_tokens=7)
USAGE = Usage(7, 5, 3, 2)
BEGINNING = ["created", "in_progress"]
MESSAGE = [
    "output_item.added",
    "content_part.added",
    "output_text.delta",
    "output_text.done",
    "content_part.done",
    "output_item.done",
]
CALL = [
    "output_item.added",
    "function_call_arguments.delta",
    "function_call_arguments.done",
    "output_item.done",
]


def done(reason: FinishReason = FinishReason.STOP) -> Done:
    return Done(index=0, reason=reason, usage=USAGE)


def text(said: str) -> Content:
    return Content(index=0, text=said)


def thought(said: str) -> Reasoning:
    return Reasoning(index=0, text=said)


def call(number: int, name: str, *arguments: str, is_broken: bool = False) -> list[Event]:
    pieces = [ToolCallDelta(index=0, call=number, arguments=piece) for piece in arguments]
    end = [] if is_broken else [ToolCallEnd(index=0, call=number)]
    return [ToolCallStart(index=0, call=number, id=f"call_{number}", name=name), *pieces, *end]


def stream_of(
    *,
    status: Any = "in_progress",
    custom: Iterable[str] = (),
    has_logprobs: bool = False,
    summarizes: bool = False,
    seals: bool = False,
) -> ResponseStream:
    draft = ResponseObject(
        id="resp_1", created_at=1, status=status, model="asked", text=TextEcho(format={"type": "text"})
    )
    shown = ResponsePresentation(
        frozenset(custom), has_logprobs=has_logprobs, summarizes=summarizes, seals_thoughts=seals
    )
    return ResponseStream(draft, shown)


def played(stream: ResponseStream, events: Sequence[Event]) -> list[dict[str, Any]]:
    """Every event that comes of these, read by the official client's own stream reader as well."""
    sent = events_of(b"".join(stream.encode(event) for event in events).decode())
    assert_numbered(sent)
    read_by_the_client(sent)
    return sent


def read_by_the_client(sent: Sequence[dict[str, Any]]) -> None:
    adapter: TypeAdapter[ResponseStreamEvent] = TypeAdapter(ResponseStreamEvent)
    state = ResponseStreamState(input_tools=omit, text_format=omit)
    for event in sent:
        state.handle_event(adapter.validate_python(event))


def test_a_text() -> None:
    stream = stream_of()
    sent = played(stream, [STARTED, text("Hel"), text("lo"), done()])
    assert kinds(sent) == [*BEGINNING, *MESSAGE, "completed"]
    assert [event["delta"] for event in sent if event["type"].endswith("delta")] == ["Hel", "lo"]
    response = strict_response(sent[-1]["response"])
    assert response.output_text == "Hello"
    assert (response.status, response.model) == ("completed", "m")
    assert response.usage is not None
    assert response.usage.model_dump(exclude_none=True) == {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 12,
    }
    assert stream.response.model_dump(mode="json") == sent[-1]["response"]


def test_a_thought_a_text_and_two_calls_are_items_in_a_row() -> None:
    events = [thought("hm"), thought("m"), text("\n\n"), text("I look."), *call(0, "f", '{"a"', ":1}"), *call(1, "g")]
    sent = played(stream_of(), [STARTED, *events, done(FinishReason.TOOL_CALLS)])
    assert kinds(sent) == [
        *BEGINNING,
        *("output_item.added", "content_part.added", "reasoning_text.delta", "reasoning_text.done"),
        *("content_part.done", "output_item.done"),
        *MESSAGE,
        *CALL,
        *("output_item.added", "function_call_arguments.done", "output_item.done"),
        "completed",
    ]
    reasoning, message, first, second = sent[-1]["response"]["output"]
    assert reasoning["content"] == [{"type": "reasoning_text", "text": "hmm"}]
    assert reasoning["summary"] == []
    assert message["content"][0]["text"] == "\n\nI look."
    assert (first["name"], first["call_id"], first["arguments"]) == ("f", "call_0", '{"a":1}')
    assert (second["name"], second["call_id"], second["arguments"]) == ("g", "call_1", "")
    ended = [event["item"] for event in sent if event["type"] == "response.output_item.done"]
    assert ended == sent[-1]["response"]["output"]


def test_a_thought_is_sent_as_its_summary_where_one_is_asked_for() -> None:
    sent = played(stream_of(summarizes=True), [STARTED, thought("hm"), text("ok"), done()])
    assert kinds(sent)[2:8] == [
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ]
    [item, _] = sent[-1]["response"]["output"]
    assert item["summary"] == [{"type": "summary_text", "text": "hm"}]
    assert item["content"] == []


def test_a_thought_can_be_carried_by_clients() -> None:
    sent = played(stream_of(seals=True), [STARTED, thought("hm"), done()])
    assert sent[-1]["response"]["output"][0]["encrypted_content"] == sealed("hm")
    assert (
        played(stream_of(), [STARTED, thought("hm"), done()])[-1]["response"]["output"][0]["encrypted_content"] is None
    )


def test_white_space_between_calls_is_no_message() -> None:
    events = [text("\n"), *call(0, "f", "{}"), text("\n"), *call(1, "f", "{}"), text("\n")]
    sent = played(stream_of(), [STARTED, *events, done(FinishReason.TOOL_CALLS)])
    assert [item["type"] for item in sent[-1]["response"]["output"]] == ["function_call", "function_call"]


@pytest.mark.parametrize("said", [[], [text("\n")], [text("")]])
def test_a_reply_without_words_is_a_message_still(said: list[Event]) -> None:
    sent = played(stream_of(), [STARTED, *said, done()])
    [message] = sent[-1]["response"]["output"]
    assert message["content"][0]["text"] == "".join(event.text for event in said if isinstance(event, Content))


def test_a_reply_that_was_cut_is_incomplete() -> None:
    sent = played(stream_of(), [STARTED, text("Hel"), done(FinishReason.LENGTH)])
    assert kinds(sent)[-1] == "incomplete"
    response = sent[-1]["response"]
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["completed_at"] is None
    assert response["output"][0]["status"] == "incomplete"
    assert response["usage"]["output_tokens"] == 5


@pytest.mark.parametrize("reason", [FinishReason.LENGTH, FinishReason.STOP])
def test_a_call_that_was_broken_off_says_so(reason: FinishReason) -> None:
    sent = played(stream_of(), [STARTED, *call(0, "f", '{"a', is_broken=True), done(reason)])
    [item] = sent[-1]["response"]["output"]
    assert (item["status"], item["arguments"]) == ("incomplete", '{"a')


@given(st.text(max_size=20), st.lists(st.integers(0, 200), max_size=6))
def test_a_custom_tools_input_is_plain_text_however_it_was_cut(said: str, cuts: list[int]) -> None:
    arguments = json.dumps({"input": said}, ensure_ascii=len(cuts) % 2 == 0)
    bounds = [0, *sorted(cut % (len(arguments) + 1) for cut in cuts), len(arguments)]
    pieces = [arguments[start:end] for start, end in pairwise(bounds)]
    stream = stream_of(custom=["patch"])
    encoded = b"".join(stream.encode(event) for event in [STARTED, *call(0, "patch", *pieces), done()])
    sent = events_of(encoded.decode())
    deltas = [event["delta"] for event in sent if event["type"] == "response.custom_tool_call_input.delta"]
    [item] = sent[-1]["response"]["output"]
    assert (item["type"], item["call_id"], item["name"]) == ("custom_tool_call", "call_0", "patch")
    assert item["input"] == "".join(deltas) == said


def test_logprobs_are_in_the_deltas_and_in_the_item() -> None:
    scored = TokenLogprob(
        1, b"\xf0\x9f", -0.5, (Alternative(1, b"\xf0\x9f", -0.5), Alternative(2, b"a", float("-inf")))
    )
    events: list[Event] = [STARTED, Content(index=0, text="", tokens=(1,), logprobs=(scored,)), text("hi"), done()]
    stream = stream_of(has_logprobs=True)
    sent = played(stream, events)
    [delta, _] = [event for event in sent if event["type"] == "response.output_text.delta"]
    assert delta["logprobs"] == [
        {
            "token": "\\xf0\\x9f",
            "logprob": -0.5,
            "top_logprobs": [{"token": "\\xf0\\x9f", "logprob": -0.5}, {"token": "a", "logprob": -9999.0}],
        }
    ]
    [token] = sent[-1]["response"]["output"][0]["content"][0]["logprobs"]
    assert token["bytes"] == [0xF0, 0x9F]


def test_a_failure_ends_a_stream_that_has_begun() -> None:
    stream = stream_of()
    frames = stream.encode(STARTED) + stream.encode(text("Hel")) + stream.fail(Busy("The queue is full."))
    sent = events_of(frames.decode())
    assert_numbered(sent)
    read_by_the_client(sent)
    assert kinds(sent)[-2:] == ["error", "failed"]
    assert (sent[-2]["code"], sent[-2]["message"]) == ("rate_limit_exceeded", "The queue is full.")
    response = sent[-1]["response"]
    assert response["status"] == "failed"
    assert response["error"] == {"code": "rate_limit_exceeded", "message": "The queue is full."}
    assert response["output"][0]["content"][0]["text"] == "Hel"
    assert response["output"][0]["status"] == "incomplete"


def test_a_failure_before_anything_else_still_has_a_beginning() -> None:
    stream = stream_of()
    sent = events_of(stream.fail(ContextTooLong(prompt_tokens=9, context=8)).decode())
    assert kinds(sent) == ["created", "error", "failed"]
    assert sent[0]["response"]["status"] == "in_progress"
    assert sent[-1]["response"]["error"]["code"] == "context_length_exceeded"


def test_what_nobody_foresaw_is_told_without_its_words() -> None:
    sent = events_of(stream_of().fail(RuntimeError("a prompt")).decode())
    assert sent[-1]["response"]["error"]["code"] == "server_error"
    assert "a prompt" not in str(sent)


def test_a_response_in_the_background_begins_in_the_queue() -> None:
    stream = stream_of(status="queued")
    frames = stream.begin() + b"".join(stream.encode(event) for event in (STARTED, text("hi"), done()))
    sent = events_of(frames.decode())
    assert kinds(sent)[:3] == ["created", "queued", "in_progress"]
    assert [event["response"]["status"] for event in sent[:3]] == ["queued", "queued", "in_progress"]


def test_the_response_can_be_seen_at_any_time() -> None:
    stream = stream_of()
    for event in (STARTED, text("Hel")):
        stream.encode(event)
    [message] = strict_response(stream.response.model_dump(mode="json")).output
    assert message.type == "message"
    assert message.status == "in_progress"
    stream.cancel()
    assert stream.response.status == "cancelled"
    assert stream.is_over
