"""Hostile bodies on /v1/messages: refused at once and in few words, and the next request works."""

import json
import logging
from typing import Any

import httpx
import pytest

from tests.api.messages.strictness import strict_error
from tests.api.serving import Served
from tests.effort import async_effort_ratio

MESSAGES = "/v1/messages"
COUNT = "/v1/messages/count_tokens"
HI: list[dict[str, Any]] = [{"role": "user", "content": "echo: hi"}]
TOOL: dict[str, Any] = {"name": "f", "input_schema": {"type": "object"}}
JSON_TYPE = {"Content-Type": "application/json"}


def asks(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 50, "messages": HI, **fields}


def user(*blocks: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(blocks)}]


def nested(depth: int) -> dict[str, Any]:
    block: dict[str, Any] = {"type": "text", "text": "deep"}
    for _ in range(depth):
        block = {"type": "tool_result", "tool_use_id": "t", "content": [block]}
    return block


IMAGE = {"type": "image", "source": {"type": "url", "url": "http://127.0.0.1:9/x.png"}}
REFUSED: dict[str, dict[str, Any]] = {
    "max_tokens too large": {"max_tokens": 10**12},
    "max_tokens as text": {"max_tokens": "many"},
    "negative budget": {"thinking": {"type": "enabled", "budget_tokens": -1}},
    "huge budget": {"thinking": {"type": "enabled", "budget_tokens": 10**12}},
    "bool temperature": {"temperature": True},
    "many stop sequences": {"stop_sequences": ["x"] * 10_000},
    "a stop sequence without end": {"stop_sequences": ["x" * 10_000]},
    "many tools": {"tools": [TOOL] * 10_000},
    "a name without end": {"tools": [TOOL | {"name": "f" * 2**20}]},
    "a name that is none": {"tools": [TOOL | {"name": ""}]},
    "a schema that is none": {"tools": [TOOL | {"input_schema": []}]},
    "many messages": {"messages": HI * 100_000},
    "many wrong messages": {"messages": [1] * 100_000},
    "many wrong blocks": {"messages": user(*[1] * 100_000)},
    "a role of its own": {"messages": [{"role": "root", "content": "x"}]},
    "no messages": {"messages": []},
    "an address": {"messages": user(IMAGE)},
    "an address in a result": {"messages": user({"type": "tool_result", "tool_use_id": "t", "content": [IMAGE]})},
    "an address in a document": {"messages": user({"type": "document", "source": IMAGE["source"]})},
    "a file": {"messages": user({"type": "document", "source": {"type": "file", "file_id": "../../etc/passwd"}})},
    "a preset outside its folder": {"preset": "../../etc/passwd"},
    "a schema from elsewhere": {"output_format": {"type": "json_schema", "schema": {"$ref": "http://127.0.0.1:9/x"}}},
}


@pytest.mark.parametrize("fields", REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("is_streamed", [False, True])
async def test_what_is_refused(api: Served, fields: dict[str, Any], is_streamed: bool) -> None:
    body = asks(stream=is_streamed) | fields
    response = await api.post(MESSAGES, body)
    assert response.status_code == 400, response.text[:300]
    assert strict_error(response.json())[0] == "invalid_request_error"
    assert len(response.content) < 1000
    assert "/root" not in response.text
    await works(api)
    await costs_little(api, MESSAGES, body)


async def costs_little(api: Served, path: str, body: dict[str, Any]) -> None:
    """Not much more than a request that is answered, and reading the body."""

    async def ordinary() -> None:
        json.loads(json.dumps(body))
        await works(api)

    assert await async_effort_ratio(lambda: api.post(path, body), ordinary, times=1) < 80


async def works(api: Served) -> None:
    answer = (await api.post(MESSAGES, asks(messages=[{"role": "user", "content": "echo: still here"}]))).json()
    assert answer["content"][0]["text"] == "still here"


@pytest.mark.parametrize("path", [MESSAGES, COUNT])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"messages":' * 100_000,
        b'{"max_tokens": 9, "messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "temperature": NaN}',
        b'{"max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "temperature": 1e999}',
    ],
)
async def test_bodies_that_are_no_json_object(api: Served, path: str, content: bytes) -> None:
    response = await api.http.post(path, content=content, headers=JSON_TYPE)
    assert (response.status_code, strict_error(response.json())[0]) == (400, "invalid_request_error")
    await works(api)


@pytest.mark.parametrize("depth", [5, 80, 250])
async def test_blocks_in_blocks(api: Served, depth: int) -> None:
    """Results in results are no error that anybody makes; none of them may break anything."""
    response = await api.post(MESSAGES, asks(messages=user(nested(depth))))
    assert response.status_code in {200, 400}
    await works(api)


async def test_a_long_conversation_of_one_role_is_joined_in_time(api: Served) -> None:
    """In time that grows with its length, and no faster."""

    async def count(turns: int) -> None:
        response = await api.post(COUNT, {"messages": [{"role": "user", "content": "x" * 200}] * turns})
        assert response.json()["input_tokens"] > turns * 200

    assert await async_effort_ratio(lambda: count(30_000), lambda: count(3000), times=2) < 40


async def test_control_tokens_in_turns_stay_text(api: Served) -> None:
    call = {"type": "tool_use", "id": "t", "name": "f", "input": {}}

    async def count(words: str) -> int:
        result = {"type": "tool_result", "tool_use_id": "t", "content": words}
        turns = [*user({"type": "text", "text": words}), {"role": "assistant", "content": [call]}, *user(result)]
        return int((await api.post(COUNT, {"messages": turns})).json()["input_tokens"])

    assert await count("x<|im_end|>") - await count("x") == 2 * len("<|im_end|>")


async def test_nothing_that_was_said_is_logged(api: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        tool = {"type": "bash_20250124", "name": "a-secret-tool"}
        block = {"type": "web_search_tool_result", "tool_use_id": "t", "content": "a-secret-word"}
        text = {"type": "text", "text": "echo: a-secret-word"}
        await api.post(MESSAGES, asks(tools=[tool], messages=user(block, text), system="a-secret-word"))
        await api.post(MESSAGES, asks(messages=user({"type": "hologram", "text": "a-secret-word"})))
        await api.post(MESSAGES, asks(), **{"x-api-key": "a-secret-key"})
    assert "bash_20250124" in caplog.text
    assert "a-secret" not in caplog.text


async def test_no_failure_quotes_what_was_said(api: Served) -> None:
    bodies = (
        asks(messages=user({"type": "text", "text": ["a-secret-word"]})),
        asks(messages=user({"type": "hologram", "text": "a-secret-word"})),
        asks(system=["a-secret-word"]),
        asks(metadata="a-secret-word", max_tokens=0),
    )
    for body in bodies:
        response = await api.post(MESSAGES, body)
        assert response.status_code == 400
        assert "a-secret" not in response.text


async def test_pages_of_strangers_get_no_permission(api: Served) -> None:
    headers = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    response: httpx.Response = await api.http.options(MESSAGES, headers=headers)
    assert "access-control-allow-origin" not in response.headers
    plain = await api.http.post(MESSAGES, content=b"{}", headers={"Content-Type": "text/plain"})
    assert plain.status_code == 400
