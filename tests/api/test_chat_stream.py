"""Streamed answers of POST /v1/chat/completions, down to the bytes."""

import json
import re

import pytest
from openai import APIError, AsyncOpenAI

from extensions.openai.chat.outbound import ChatPresentation, ChatStream
from modules.engine.types import Usage
from modules.events import Content, Done, FinishReason, Reasoning, Started
from tests.api.serving import CHAT, RawCall, Served, calling, chunks_of, events_of, says


async def test_the_bytes_of_a_stream(api: Served) -> None:
    response = await api.post(CHAT, says("echo: h", stream=True))
    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"
    text = re.sub(r"chatcmpl-[0-9a-f]{32}", "ID", re.sub(r'"created":\d+', '"created":1', response.text))
    head = (
        'data: {"id":"ID","object":"chat.completion.chunk","created":1,"model":"scripted",'
        '"system_fingerprint":"fp_f4e1a209c1","choices":[{"index":0,"delta":'
    )
    assert text == (
        head
        + '{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}\n\n'
        + head
        + '{"content":"h"},"logprobs":null,"finish_reason":null}]}\n\n'
        + head
        + '{"content":""},"logprobs":null,"finish_reason":"stop"}]}\n\n'
        + "data: [DONE]\n\n"
    )


async def test_every_chunk_of_a_stream_says_the_same_of_itself(api: Served) -> None:
    chunks = chunks_of((await api.post(CHAT, says("count 30", stream=True))).text)
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    assert all("usage" not in chunk for chunk in chunks)


async def test_the_official_client_reads_a_stream(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="x", messages=[{"role": "user", "content": "echo: é👋"}], stream=True
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "é👋"
    assert [chunk.choices[0].delta.role for chunk in chunks if chunk.choices[0].delta.role] == ["assistant"]
    assert [chunk.choices[0].finish_reason for chunk in chunks][-1] == "stop"
    assert not any(chunk.choices[0].finish_reason for chunk in chunks[:-1])


async def test_the_clients_stream_reader_puts_the_same_answer_together(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(
        model="x", messages=[{"role": "user", "content": "echo: whole"}], stream_options={"include_usage": True}
    ) as stream:
        completion = await stream.get_final_completion()
    assert completion.choices[0].message.content == "whole"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 5


async def test_usage_is_sent_once_and_only_when_asked_for(api: Served) -> None:
    body = says("echo: hi", stream=True, stream_options={"include_usage": True}, n=2)
    *chunks, last = chunks_of((await api.post(CHAT, body)).text)
    assert all(chunk["usage"] is None and chunk["choices"] for chunk in chunks)
    assert last["choices"] == []
    assert last["usage"]["completion_tokens"] == 4
    whole = (await api.post(CHAT, says("echo: hi", n=2))).json()
    assert last["usage"] == whole["usage"]


async def test_each_choice_has_its_role_its_text_and_its_end(api: Served) -> None:
    chunks = chunks_of((await api.post(CHAT, says("echo: abc", stream=True, n=3))).text)
    for index in range(3):
        own = [chunk["choices"][0] for chunk in chunks if chunk["choices"][0]["index"] == index]
        assert own[0]["delta"] == {"role": "assistant", "content": ""}
        assert "".join(choice["delta"]["content"] for choice in own) == "abc"
        assert [choice["finish_reason"] for choice in own if choice["finish_reason"]] == ["stop"]


async def test_streamed_logprobs_are_those_of_the_whole_answer(api: Served) -> None:
    body = says("echo: é!", logprobs=True, top_logprobs=1)
    whole = (await api.post(CHAT, body)).json()["choices"][0]["logprobs"]["content"]
    chunks = chunks_of((await api.post(CHAT, body | {"stream": True})).text)
    streamed = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    assert [token for part in streamed if part for token in part["content"]] == whole


async def test_readers_that_parse_every_event_get_no_done(api: Served) -> None:
    response = await api.post(CHAT, says("echo: hi", stream=True), **{"User-Agent": "python-requests/2.32.3"})
    events = events_of(response.text)
    assert "[DONE]" not in events
    assert "".join(json.loads(event)["choices"][0]["delta"]["content"] for event in events) == "hi"


async def test_a_failure_before_the_first_event_is_a_status(api: Served) -> None:
    response = await api.post(CHAT, says("x" * 9000, stream=True))
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"
    assert "This model's maximum context length" in response.json()["error"]["message"]


async def test_a_failure_after_it_is_an_error_event_and_the_end(api: Served) -> None:
    call = RawCall(api.app, CHAT, json.dumps(says("stall", stream=True)).encode())
    async with api.runtime.models.lease(None) as engine, calling(call) as running:
        await call.until_says("waiting")
        await engine.aclose()
        await running
    last = events_of(call.sent_body.decode())[-1]
    assert json.loads(last)["error"]["code"] == "engine_failed"
    assert call.sent[-1]["more_body"] is False


async def test_the_official_client_raises_on_that_event(client: AsyncOpenAI, api: Served) -> None:
    api.closing.set()
    with pytest.raises(APIError, match="being stopped"):
        await client.chat.completions.create(model="x", messages=[{"role": "user", "content": "stall"}], stream=True)


def test_reasoning_is_no_content() -> None:
    plain, filled = (
        ChatStream(ChatPresentation(), n=1, wants_usage=False, fills_deltas=fills) for fills in (False, True)
    )
    for stream, delta in ((plain, {"reasoning_content": "hm"}), (filled, {"reasoning_content": "hm", "content": ""})):
        stream.encode(Started(model="m", prompt_tokens=1))
        [chunk] = chunks_of(stream.encode(Reasoning(index=0, text="hm")).decode())
        assert chunk["choices"][0]["delta"] == delta


def test_a_character_that_is_not_complete_makes_no_chunk() -> None:
    stream = ChatStream(ChatPresentation(), n=1, wants_usage=True, fills_deltas=False)
    stream.encode(Started(model="m", prompt_tokens=1))
    assert stream.encode(Content(index=0, text="", tokens=(195,))) == b""
    stream.encode(Done(index=0, reason=FinishReason.STOP, usage=Usage(1, 2, 1)))
    [chunk] = chunks_of(stream.end().decode())
    assert chunk["usage"]["prompt_tokens_details"] == {"cached_tokens": 1, "image_tokens": 0, "audio_tokens": 0}
