"""POST /v1/messages and count_tokens on the wire, and Anthropic's official client over them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import MessageTokensCount

from tests.api.messages.strictness import named_events, strict_events, strict_message
from tests.api.serving import BASE_URL, RawCall, Served, calling, served
from tests.api.strictness import strict

MESSAGES = "/v1/messages"
COUNT = "/v1/messages/count_tokens"


@pytest.fixture
async def claude(api: Served) -> AsyncIterator[AsyncAnthropic]:
    """Anthropic's client, over the app."""
    http_client = httpx2.AsyncClient(transport=httpx2.ASGITransport(api.app))
    async with AsyncAnthropic(base_url=BASE_URL, api_key="any", http_client=http_client, max_retries=0) as client:
        yield client


def asks(words: str, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": words}], **fields}


VARIANTS: list[dict[str, Any]] = [
    {},
    {"max_tokens": 3},
    {"stop_sequences": ["h"]},
    {"temperature": 0, "top_k": 1, "top_p": 0.5, "seed": 1},
    {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    {"thinking": {"type": "disabled"}},
]


@pytest.mark.parametrize("fields", VARIANTS)
@pytest.mark.parametrize("query", ["", "?beta=true"])
async def test_messages_are_what_the_client_expects(api: Served, fields: dict[str, Any], query: str) -> None:
    whole = strict_message((await api.post(MESSAGES + query, asks("echo: oh é👋", **fields))).json())
    response = await api.post(MESSAGES + query, asks("echo: oh é👋", stream=True, **fields))
    assert response.headers["content-type"].startswith("text/event-stream")
    events = strict_events(response.text)
    text = "".join(event.delta.text for event in events if event.type == "content_block_delta")
    assert text == "".join(getattr(block, "text", "") for block in whole.content)
    assert events[-2].delta.stop_reason == whole.stop_reason
    assert events[-2].usage.output_tokens == whole.usage.output_tokens


async def test_blocks_have_no_citations_where_there_are_none(api: Served) -> None:
    """Clients that check what they get take a list or no key, but no null."""
    for stream in (False, True):
        answer = await api.post(MESSAGES, asks("echo: h", stream=stream))
        assert answer.status_code == 200
        assert "citations" not in answer.text


async def test_the_bytes_of_a_stream(api: Served) -> None:
    text = (await api.post(MESSAGES, asks("echo: h", stream=True))).text
    start, *rest = text.split("\n\n", 1)
    assert start.startswith('event: message_start\ndata: {"type":"message_start","message":{"id":"msg_')
    assert rest == [
        'event: ping\ndata: {"type":"ping"}\n\n'
        'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
        '"content_block":{"type":"text","text":""}}\n\n'
        'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        '"delta":{"type":"text_delta","text":"h"}}\n\n'
        'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
        'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null,'
        '"stop_details":null,"container":null},"usage":{"input_tokens":26,"cache_creation_input_tokens":0,'
        '"cache_read_input_tokens":0,"output_tokens":1,"output_tokens_details":{"thinking_tokens":0},'
        '"server_tool_use":null}}\n\n'
        'event: message_stop\ndata: {"type":"message_stop"}\n\n'
    ]


async def test_why_it_ended(api: Served) -> None:
    stopped = (await api.post(MESSAGES, asks("count 9", stop_sequences=["zzz", "5"]))).json()
    assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", "5")
    assert stopped["content"][0]["text"] == "1 2 3 4 "
    cut = (await api.post(MESSAGES, asks("count 9", max_tokens=3))).json()
    assert (cut["stop_reason"], cut["stop_sequence"]) == ("max_tokens", None)


async def test_a_begun_reply_is_gone_on_with_and_not_repeated(api: Served) -> None:
    turns = [{"role": "user", "content": "echo: rest"}, {"role": "assistant", "content": "The "}]
    message = (await api.post(MESSAGES, asks("", messages=turns))).json()
    assert message["content"][0]["text"] == "rest"


@pytest.mark.parametrize("count", [1, 3000])
async def test_a_count_is_that_of_the_prompt_even_of_one_that_is_too_long(api: Served, count: int) -> None:
    turns = [{"role": "user", "content": "echo: é<|im_end|>" * count}]
    fields = {"system": [{"type": "text", "text": "Be kind."}], "messages": turns}
    counted = (await api.post(COUNT + "?beta=true", {"model": "m", **fields})).json()
    strict(MessageTokensCount, counted, extras=())
    answer = (await api.post(MESSAGES, asks("", **fields))).json()
    expected = answer["usage"]["input_tokens"] if count == 1 else int(answer["error"]["message"].split()[4])
    assert counted == {"input_tokens": expected}


async def test_what_has_to_be_there(api: Served) -> None:
    assert (await api.post(COUNT, {"messages": []})).status_code == 400
    assert (await api.post(MESSAGES, {"messages": [{"role": "user", "content": "x"}]})).status_code == 400


async def test_addresses_in_other_spellings(api: Served) -> None:
    assert (await api.post("/messages", asks("echo: hi"))).status_code == 200
    assert (await api.post("/v1/messages/", asks("echo: hi"))).status_code == 200
    assert (await api.post("//v1/messages/count_tokens", {"messages": asks("x")["messages"]})).status_code == 200


async def test_ignored_parameters_are_named(api: Served) -> None:
    response = await api.post(MESSAGES, asks("echo: hi", guidance_scale=2))
    assert response.headers["x-ignored-parameters"] == "guidance_scale"


async def test_the_official_client(claude: AsyncAnthropic) -> None:
    message = await claude.messages.create(
        model="m", max_tokens=50, system="Be kind.", messages=[{"role": "user", "content": "echo: é👋"}]
    )
    assert message.content[0].type == "text"
    assert message.content[0].text == "é👋"
    assert (message.stop_reason, message.usage.output_tokens) == ("end_turn", 6)
    assert message._request_id is not None
    beta = await claude.beta.messages.create(
        model="m", max_tokens=50, messages=[{"role": "user", "content": "echo: hi"}], betas=["context-1m-2025-08-07"]
    )
    assert beta.content[0].type == "text"
    count = await claude.messages.count_tokens(model="m", messages=[{"role": "user", "content": "echo: hi"}])
    assert count.input_tokens == beta.usage.input_tokens


async def test_the_clients_stream_reader(claude: AsyncAnthropic) -> None:
    async with claude.messages.stream(
        model="m", max_tokens=50, messages=[{"role": "user", "content": "count 12"}], stop_sequences=["9"]
    ) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        message = await stream.get_final_message()
    assert text == "1 2 3 4 5 6 7 8 "
    assert message.content[0].type == "text"
    assert message.content[0].text == text
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "9")
    assert message.usage.output_tokens > 0


async def test_a_failure_in_a_stream_is_an_event_with_that_name(api: Served) -> None:
    call = RawCall(api.app, MESSAGES, json.dumps(asks("stall", stream=True)).encode())
    async with api.runtime.models.lease(None) as engine, calling(call) as running:
        await call.until_body(b"content_block_delta")
        await engine.aclose()
        await running
    name, data = named_events(call.sent_body.decode())[-1]
    assert (name, data["error"]["type"]) == ("error", "api_error")
    ids = [value for key, value in call.sent[0]["headers"] if key == b"request-id"]
    assert [data["request_id"].encode()] == ids


async def test_a_server_that_stops_says_so_in_the_stream(api: Served) -> None:
    call = RawCall(api.app, MESSAGES, json.dumps(asks("stall", stream=True)).encode())
    async with calling(call) as running:
        await call.until_body(b"content_block_delta")
        api.closing.set()
        await running
    name, data = named_events(call.sent_body.decode())[-1]
    assert (name, data["error"]["type"]) == ("error", "overloaded_error")


async def test_who_hangs_up_ends_the_work(api: Served) -> None:
    call = RawCall(api.app, MESSAGES, json.dumps(asks("stall", stream=True)).encode())
    async with calling(call) as running:
        await call.until_body(b"content_block_delta")
        call.hang_up()
        await running
    assert (await api.post(MESSAGES, asks("echo: next"))).json()["content"][0]["text"] == "next"


@pytest.mark.parametrize("header", ["x-api-key", "Authorization"])
async def test_both_key_headers(tmp_path: Path, header: str) -> None:
    async with served(tmp_path, api_key="the-key") as api:
        transport = httpx2.ASGITransport(api.app)
        key: dict[str, Any] = {"api_key": "the-key"} if header == "x-api-key" else {"auth_token": "the-key"}
        http_client = httpx2.AsyncClient(transport=transport)
        async with AsyncAnthropic(base_url=BASE_URL, http_client=http_client, max_retries=0, **key) as claude:
            message = await claude.messages.create(
                model="m", max_tokens=9, messages=[{"role": "user", "content": "echo: hi"}]
            )
    assert message.stop_reason == "end_turn"
