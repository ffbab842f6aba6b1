"""ReplyReader: one reply in every dialect."""

from itertools import chain
from typing import Any

import pytest

from modules.chatmodels.remote.replies import ReplyReader, usage_of
from modules.chatmodels.remote.sse import MAX_EVENT_BYTES, EventDecoder, EventTooLarge
from modules.engine.types import Usage
from modules.events import Content, Done, Event, FinishReason, Reasoning, ToolCallDelta, ToolCallEnd, ToolCallStart
from modules.reply.format import PLAIN, ReplyFormat
from modules.reply.reasoning import formats as reasoning
from tests.chatmodels.remote.raw_server import delta


def _read(*chunks: dict[str, Any], reply_format: ReplyFormat = PLAIN, choices: int = 1) -> list[Event]:
    reader = ReplyReader(choices, reply_format)
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    return [*events, *reader.close()]


def _text(events: list[Event], kind: type[Content] | type[Reasoning] = Content) -> str:
    return "".join(event.text for event in events if isinstance(event, kind))


def _calls(events: list[Event]) -> list[tuple[str, str]]:
    """Name and arguments of each call, which are announced, told and ended in order."""
    calls: list[tuple[str, str]] = []
    ended = 0
    for event in events:
        match event:
            case ToolCallStart(call=call, name=name):
                assert call == len(calls) == ended
                calls.append((name, ""))
            case ToolCallDelta(call=call, arguments=arguments):
                assert call == len(calls) - 1 == ended
                calls[-1] = (calls[-1][0], calls[-1][1] + arguments)
            case ToolCallEnd(call=call):
                assert call == ended
                ended += 1
    assert ended == len(calls)
    return calls


def _done(events: list[Event]) -> Done:
    last = events[-1]
    assert isinstance(last, Done)
    return last


@pytest.mark.parametrize(
    "thought",
    [
        delta(reasoning_content="hm"),
        delta(reasoning="hm", content=""),
        delta(thinking="hm"),
        {"choices": [{"delta": {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}}]},
        delta(reasoning="hm", reasoning_content="hm"),
    ],
)
def test_reasoning_of_each_dialect(thought: dict[str, Any]) -> None:
    events = _read(thought, delta("yes"), delta(finish="stop"))
    assert (_text(events, Reasoning), _text(events)) == ("hm", "yes")


def test_reasoning_in_tags_is_read_as_such() -> None:
    thinks = ReplyFormat(reasoning=reasoning.ReplyReasoning(formats=(reasoning.THINK,)))
    events = _read(
        *(delta(part) for part in ("<th", "ink>h", "m</think>", "yes")), delta(finish="stop"), reply_format=thinks
    )
    assert (_text(events, Reasoning), _text(events).strip()) == ("hm", "yes")


def _call(**fields: Any) -> dict[str, Any]:
    names = ("name", "arguments")
    function = {name: value for name, value in fields.items() if name in names}
    rest = {name: value for name, value in fields.items() if name not in names}
    return delta(tool_calls=[{**rest, "function": function}])


TWO = [("f", '{"a":1}'), ("g", "{}")]


@pytest.mark.parametrize(
    "chunks",
    [
        pytest.param(
            [_call(index=0, id="1", name="f", arguments=""), _call(index=0, arguments='{"a"'), _call(index=0, arguments=":1}"), _call(index=1, id="2", name="g", arguments="{}")],
            id="OpenAI",
        ),
        pytest.param([_call(id="1", name="f", arguments='{"a":1}'), _call(id="2", name="g", arguments="{}")], id="no index"),
        pytest.param([_call(name="f", arguments='{"a":1}'), _call(name="g", arguments="{}")], id="neither index nor id"),
        pytest.param([_call(index=0, id="1", name="f", arguments='{"a":1}'), _call(index=0, id="2", name="g", arguments="{}")], id="every index 0"),
        pytest.param(
            [_call(index=0, id="1", name="f", arguments='{"a"'), _call(index=0, id="1", name="f", arguments=":1}"), _call(index=1, id="2", name="g", arguments="{}")],
            id="id and name repeated",
        ),
        pytest.param([_call(index=3, id="1", name="f", arguments={"a": 1}), _call(index=5, id="2", name="g", arguments={})], id="objects"),
        pytest.param([_call(index=0, id="1", arguments=""), _call(index=0, name="f", arguments='{"a":1}'), _call(index=1, id="2", name="g", arguments="{}")], id="name later"),
        pytest.param([_call(index=0, id="1", name="f", arguments='{"a":1}'), _call(index=1, id="", name="g", arguments="{}")], id="empty id"),
        pytest.param(
            [{"choices": [{"index": 0, "message": {"content": None, "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                {"id": "2", "type": "function", "function": {"name": "g", "arguments": "{}"}}]}}]}],
            id="whole message",
        ),
    ],
)  # fmt: skip
def test_tool_calls_of_each_dialect(chunks: list[dict[str, Any]]) -> None:
    events = _read(*chunks, delta(finish="stop"))
    assert _calls(events) == TWO
    assert _done(events).reason is FinishReason.TOOL_CALLS
    ids = [event.id for event in events if isinstance(event, ToolCallStart)]
    assert len(set(ids)) == 2
    assert all(ids)


def test_old_function_call() -> None:
    events = _read(
        delta(function_call={"name": "f", "arguments": "{"}),
        delta(function_call={"arguments": "}"}),
        delta(finish="function_call"),
    )
    assert _calls(events) == [("f", "{}")]


def test_choices_are_told_apart_and_strange_ones_dropped() -> None:
    events = _read(
        delta("a", index=0),
        delta("b", index=1),
        delta("c", index=2),
        delta(finish="stop", index=1),
        delta(finish="length"),
        choices=2,
    )
    assert [(event.index, event.text) for event in events if isinstance(event, Content)] == [(0, "a"), (1, "b")]
    assert [(event.index, event.reason.value) for event in events if isinstance(event, Done)] == [
        (0, "length"),
        (1, "stop"),
    ]


def test_text_completions_with_log_probabilities() -> None:
    logprobs = {"tokens": ["a", "b"], "token_logprobs": [-0.5, None], "top_logprobs": [{"a": -0.5, "x": -1.0}, None]}
    events = _read({"choices": [{"index": 0, "text": "ab", "logprobs": logprobs, "finish_reason": "stop"}]})
    (content,) = [event for event in events if isinstance(event, Content)]
    assert [(each.data, each.logprob, len(each.top)) for each in content.logprobs] == [
        (b"a", -0.5, 2),
        (b"b", -9999.0, 0),
    ]


def test_text_completions_with_log_probabilities_of_llama_server() -> None:
    entry = {"token": " a", "bytes": [32, 97], "logprob": -0.5, "top_logprobs": [{"token": "x", "logprob": -2}]}
    events = _read({"choices": [{"index": 0, "text": " a", "logprobs": {"content": [entry]}, "finish_reason": "stop"}]})
    (content,) = [event for event in events if isinstance(event, Content)]
    (scored,) = content.logprobs
    assert (scored.data, scored.logprob, scored.top[0].data) == (b" a", -0.5, b"x")


def test_chat_log_probabilities() -> None:
    entry = {"token": "é", "bytes": [195, 169], "logprob": -0.25, "top_logprobs": [{"token": "e", "logprob": -2}]}
    chunk = delta("é")
    chunk["choices"][0]["logprobs"] = {"content": [entry, 7]}
    events = _read(chunk, delta(finish="stop"))
    (content,) = [event for event in events if isinstance(event, Content)]
    (scored,) = content.logprobs
    assert (scored.data, scored.logprob, scored.top[0].data) == ("é".encode(), -0.25, b"e")


def test_each_token_of_a_chunk_says_where_its_text_begins() -> None:
    entries = [{"token": text, "logprob": -1} for text in ("né", "e", " so")]
    chunk = delta("née so")
    chunk["choices"][0]["logprobs"] = {"content": entries}
    (content,) = [event for event in _read(chunk, delta(finish="stop")) if isinstance(event, Content)]
    assert content.starts == (0, 2, 3)


def test_tokens_of_a_chunk_of_thought_are_the_thoughts() -> None:
    chunk = delta("")
    chunk["choices"][0]["delta"] = {"reasoning_content": "hm so"}
    chunk["choices"][0]["logprobs"] = {"content": [{"token": text, "logprob": -1} for text in ("hm", " so")]}
    events = _read(chunk, delta("yes"), delta(finish="stop"))
    (thought,) = [event for event in events if isinstance(event, Reasoning)]
    assert (thought.starts, [each.data for each in thought.logprobs]) == ((0, 2), [b"hm", b" so"])
    assert all(not event.logprobs for event in events if isinstance(event, Content))


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (None, None),
        ("12", None),
        ({}, Usage()),
        ({"prompt_tokens": 3, "completion_tokens": 4}, Usage(3, 4)),
        ({"prompt_tokens": -3, "completion_tokens": "4"}, Usage()),
        ({"prompt_tokens": True, "completion_tokens": 1.5}, Usage()),
        ({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}, "completion_tokens_details": {"reasoning_tokens": 1}}, Usage(3, 0, 2, 1)),
        ({"prompt_tokens": 3, "prompt_tokens_details": None, "completion_tokens_details": 7}, Usage(3)),
    ],
)  # fmt: skip
def test_usage_that_is_no_count_is_none_or_zero(usage: object, expected: Usage | None) -> None:
    assert usage_of(usage) == expected


def test_usage_of_several_choices_counts_once() -> None:
    events = _read(
        delta("a"),
        delta("b", index=1),
        delta(finish="stop"),
        delta(finish="stop", index=1),
        {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 6}},
        choices=2,
    )
    assert [event.usage for event in events if isinstance(event, Done)] == [Usage(5, 6), Usage()]


STREAM = b'data: {"a": 1}\r\n\r\n: comment\nevent: x\nid: 7\ndata: one\ndata:two\n\n\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("length", [1, 2, 3, 7, 200])
def test_event_decoder_at_every_cut(length: int) -> None:
    decoder = EventDecoder()
    found = [data for start in range(0, len(STREAM), length) for data in decoder.feed(STREAM[start : start + length])]
    assert found == [b'{"a": 1}', b"one\ntwo", b"[DONE]"]


def test_event_decoder_gives_a_last_event_without_its_blank_line() -> None:
    decoder = EventDecoder()
    assert [*decoder.feed(b"data: a\n\ndata: b"), *decoder.close()] == [b"a", b"b"]


@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_event_decoder_is_bounded(ending: bytes) -> None:
    decoder = EventDecoder()
    lines = [b"data: " + b"x" * 2**20 + ending] * (MAX_EVENT_BYTES // 2**20 + 2)
    with pytest.raises(EventTooLarge):
        list(chain.from_iterable(map(decoder.feed, lines)))
