"""Events → messages, whole and streamed: the same blocks, the same end, whatever happens."""

import base64
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from extensions.openai.messages.outbound import MessageStream, call_input, whole_message
from extensions.openai.messages.schema import SIGNATURE, carried_thought, carrying_signature
from modules.engine.types import PromptProgress, Usage
from modules.events import (
    Content,
    Done,
    Event,
    FinishReason,
    Progress,
    Reasoning,
    Started,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)
from tests.api.messages.strictness import named_events, strict_events, strict_message

STARTED = Started(model="m", prompt_tokens=10)
READ = Progress(index=0, prompt=PromptProgress(10, 10, 6))


def done(reason: FinishReason = FinishReason.STOP, stop_reason: str | int | None = None) -> Done:
    return Done(index=0, reason=reason, usage=Usage(10, 7, 6, 2), stop_reason=stop_reason)


def call(number: int, name: str, *pieces: str, is_complete: bool = True) -> list[Event]:
    events: list[Event] = [ToolCallStart(index=0, call=number, id=f"toolu_{number}", name=name)]
    events += [ToolCallDelta(index=0, call=number, arguments=piece) for piece in pieces]
    return [*events, ToolCallEnd(index=0, call=number)] if is_complete else events


def text(*pieces: str) -> list[Event]:
    return [Content(index=0, text=piece) for piece in pieces]


def thought(*pieces: str) -> list[Event]:
    return [Reasoning(index=0, text=piece) for piece in pieces]


async def whole(
    events: Sequence[Event], *, stop_sequences: tuple[str, ...] = (), omits_thinking: bool = False
) -> dict[str, Any]:
    async def source() -> AsyncGenerator[Event, None]:
        for event in events:
            yield event

    message = await whole_message(source(), stop_sequences=stop_sequences, omits_thinking=omits_thinking)
    body: dict[str, Any] = message.model_dump(exclude_unset=True)
    strict_message(body)
    return body


def streamed(
    events: Sequence[Event], *, stop_sequences: tuple[str, ...] = (), omits_thinking: bool = False
) -> dict[str, Any]:
    """The message that a client puts together, once every event has been checked."""
    encoder = MessageStream(stop_sequences=stop_sequences, omits_thinking=omits_thinking)
    stream = b"".join(encoder.encode(event) for event in events).decode() + encoder.end().decode()
    strict_events(stream)
    return put_together(stream)


def put_together(stream: str) -> dict[str, Any]:
    message: dict[str, Any] = {}
    arguments: dict[int, str] = {}
    is_open = False
    for name, data in named_events(stream):
        match name:
            case "message_start":
                assert not message
                message = data["message"]
            case "content_block_start":
                assert not is_open
                is_open = True
                assert data["index"] == len(message["content"])
                message["content"].append(data["content_block"])
            case "content_block_delta":
                assert is_open
                add(message["content"][data["index"]], data["delta"], arguments, data["index"])
            case "content_block_stop":
                assert is_open
                is_open = False
            case "message_delta":
                message |= data["delta"]
                message["usage"] |= data["usage"]
    assert not is_open
    for index, written in arguments.items():
        message["content"][index]["input"] = call_input(written)
    return message


def add(block: dict[str, Any], delta: dict[str, Any], arguments: dict[int, str], index: int) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "input_json_delta":
            arguments[index] = arguments.get(index, "") + delta["partial_json"]


CASES: dict[str, list[Event]] = {
    "nothing": [done()],
    "text": [*text("Hel", "lo"), done()],
    "empty pieces": [*text("", "Hi", ""), *thought(""), done()],
    "thought": [*thought("hm", "…"), *text("Yes."), done()],
    "two calls": [
        *thought("hm"),
        *text("Let me look."),
        *call(0, "look", '{"a"', ": 1}"),
        *call(1, "wait"),
        done(FinishReason.TOOL_CALLS),
    ],
    "text after a call": [*call(0, "look", "{}"), *text("Done."), done(FinishReason.TOOL_CALLS)],
    "blanks between": [*thought("\n"), *text("\n", "\n"), *call(0, "look", "{}"), *text(" "), done()],
    "blanks before": [*text("\n", " ", "x", "\n", "y"), done()],
    "a call broken off": [*call(0, "look", '{"a": [1, 2', is_complete=False), done(FinishReason.LENGTH)],
    "a thought broken off": [*thought("hm"), done(FinishReason.LENGTH)],
}


@pytest.mark.parametrize("events", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("omits_thinking", [False, True])
async def test_whole_and_streamed_are_the_same(events: list[Event], omits_thinking: bool) -> None:
    told = [STARTED, READ, *events]
    message = await whole(told, omits_thinking=omits_thinking)
    assert streamed(told, omits_thinking=omits_thinking) | {"id": ""} == message | {"id": ""}


async def test_the_blocks_of_a_message() -> None:
    message = await whole([STARTED, *CASES["two calls"]])
    assert [block["type"] for block in message["content"]] == ["thinking", "text", "tool_use", "tool_use"]
    assert message["content"][0] == {"type": "thinking", "thinking": "hm", "signature": SIGNATURE}
    assert message["content"][2] == {
        "type": "tool_use",
        "id": "toolu_0",
        "name": "look",
        "input": {"a": 1},
        "caller": {"type": "direct"},
    }
    assert message["content"][3]["input"] == {}
    assert message["stop_reason"] == "tool_use"


async def test_no_block_is_of_white_space_only() -> None:
    assert [block["type"] for block in (await whole([STARTED, *CASES["blanks between"]]))["content"]] == ["tool_use"]
    [block] = (await whole([STARTED, *CASES["blanks before"]]))["content"]
    assert block["text"] == "\n x\ny"


async def test_what_is_complete_of_a_call_that_was_broken_off() -> None:
    message = await whole([STARTED, *CASES["a call broken off"]])
    assert message["content"][0]["input"] == {"a": [1, 2]}
    assert message["stop_reason"] == "max_tokens"


@pytest.mark.parametrize("written", ["[1]", "nonsense", '"text"', "1"])
def test_arguments_that_are_no_object(written: str) -> None:
    assert call_input(written) == {}


@pytest.mark.parametrize(
    ("end", "stop_reason", "stop_sequence"),
    [
        (done(), "end_turn", None),
        (done(stop_reason="END"), "stop_sequence", "END"),
        (done(stop_reason="<|im_end|>"), "end_turn", None),
        (done(stop_reason=7), "end_turn", None),
        (done(FinishReason.LENGTH), "max_tokens", None),
        (done(FinishReason.TOOL_CALLS), "tool_use", None),
    ],
)
async def test_why_a_message_ended(end: Done, stop_reason: str, stop_sequence: str | None) -> None:
    for message in (
        await whole([STARTED, *text("x"), end], stop_sequences=("END",)),
        streamed([STARTED, *text("x"), end], stop_sequences=("END",)),
    ):
        assert (message["stop_reason"], message["stop_sequence"]) == (stop_reason, stop_sequence)


async def test_cached_tokens_are_no_input_tokens() -> None:
    usage = (await whole([STARTED, *text("x"), done()]))["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (4, 6)
    assert usage["cache_creation_input_tokens"] == 0
    assert usage["output_tokens"] == 7
    assert usage["output_tokens_details"] == {"thinking_tokens": 2}


@pytest.mark.parametrize("second", [READ, done()], ids=["progress", "end"])
def test_the_first_event_knows_what_was_cached(second: Event) -> None:
    encoder = MessageStream(stop_sequences=(), omits_thinking=False)
    assert encoder.encode(STARTED) == b""
    (name, start), ping, *_ = named_events(encoder.encode(second).decode())
    assert (name, ping[0]) == ("message_start", "ping")
    usage = start["message"]["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"], usage["output_tokens"]) == (4, 6, 0)


def test_the_order_of_events() -> None:
    encoder = MessageStream(stop_sequences=(), omits_thinking=False)
    told = [STARTED, READ, *thought("hm"), *text("Yes"), *call(0, "look", "{}"), done(FinishReason.TOOL_CALLS)]
    names = [name for name, _ in named_events(b"".join(encoder.encode(event) for event in told).decode())]
    start, delta, stop = (f"content_block_{part}" for part in ("start", "delta", "stop"))
    blocks = [start, delta, delta, stop, start, delta, stop, start, delta, stop]
    assert names == ["message_start", "ping", *blocks, "message_delta", "message_stop"]


async def test_a_thought_whose_text_is_omitted_is_in_its_signature() -> None:
    told = [STARTED, *thought("deep ", "thought é"), *text("Yes"), done()]
    encoder = MessageStream(stop_sequences=(), omits_thinking=True)
    assert b"thinking_delta" not in b"".join(encoder.encode(event) for event in told)
    block = (await whole(told, omits_thinking=True))["content"][0]
    assert block["thinking"] == ""
    assert carried_thought(block["signature"]) == "deep thought é"


@pytest.mark.parametrize("signature", ["", SIGNATURE, "thought-", "thought-?", "thought-gA==", "é"])
def test_signatures_that_carry_nothing(signature: str) -> None:
    assert carried_thought(signature) == ""


def test_signatures_are_base64_where_they_carry_nothing() -> None:
    assert base64.b64decode(SIGNATURE) == b"unsigned"
    assert carried_thought(carrying_signature("x\n")) == "x\n"
