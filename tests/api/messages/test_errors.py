"""Failures as Anthropic's clients see them: its shape, its words for the kinds, its exceptions."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import AsyncAnthropic
from fastapi import APIRouter

from extensions.openai.common.errors import HTTP_ERRORS
from tests.api.messages.strictness import strict_error
from tests.api.serving import BASE_URL, CHAT, RawCall, Served, calling, on_port, says, served

MESSAGES = "/v1/messages"
COUNT = "/v1/messages/count_tokens"
KINDS = {
    "invalid_request_error",
    "authentication_error",
    "permission_error",
    "not_found_error",
    "rate_limit_error",
    "api_error",
    "overloaded_error",
}


def asks(words: str, **fields: Any) -> dict[str, Any]:
    return {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": words}], **fields}


def test_the_table_speaks_anthropic() -> None:
    assert {fault.anthropic_type for fault in HTTP_ERRORS.values()} == KINDS


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "kind"),
    [
        ("POST", MESSAGES, {}, 400, "invalid_request_error"),
        ("POST", COUNT, {}, 400, "invalid_request_error"),
        ("POST", MESSAGES, asks("x", max_tokens=0), 400, "invalid_request_error"),
        ("POST", MESSAGES, asks("x", max_tokens=True), 400, "invalid_request_error"),
        ("POST", MESSAGES, asks("x", temperature=-1), 400, "invalid_request_error"),
        ("POST", MESSAGES, asks("x", thinking={"type": "often"}), 400, "invalid_request_error"),
        ("POST", MESSAGES, asks("x", messages=[]), 400, "invalid_request_error"),
        ("POST", MESSAGES, asks("x", tool_choice={"type": "any"}), 400, "invalid_request_error"),
        ("POST", MESSAGES, asks("x" * 9000), 400, "invalid_request_error"),
        ("POST", MESSAGES, asks("fail"), 503, "api_error"),
        ("POST", f"{MESSAGES}/nothing", {}, 404, "not_found_error"),
        ("POST", f"{MESSAGES}/batches", {}, 404, "not_found_error"),
        ("GET", MESSAGES, None, 405, "invalid_request_error"),
    ],
)
@pytest.mark.parametrize("is_streamed", [False, True])
async def test_failures(
    api: Served, method: str, path: str, body: dict[str, Any] | None, status: int, kind: str, is_streamed: bool
) -> None:
    sent = body if body is None else {**body, "stream": is_streamed}
    response = await api.http.request(method, path, json=sent)
    assert response.status_code == status, response.text
    assert strict_error(response.json())[0] == kind
    assert response.headers["request-id"] == response.json()["request_id"] == response.headers["x-request-id"]


async def test_a_body_that_is_no_json(api: Served) -> None:
    response = await api.http.post(MESSAGES, content=b"{", headers={"Content-Type": "application/json"})
    assert (response.status_code, strict_error(response.json())[0]) == (400, "invalid_request_error")


async def test_a_conversation_that_is_too_long_says_so_in_the_words_agents_look_for(api: Served) -> None:
    message = strict_error((await api.post(MESSAGES, asks("x" * 9000))).json())[1]
    assert message.startswith("prompt is too long: 9019 tokens > 8192 maximum")
    assert "This model's maximum context length is 8192 tokens" in message


async def test_what_is_wrong_is_named(api: Served) -> None:
    async def message(**fields: Any) -> str:
        return strict_error((await api.post(MESSAGES, asks("x", **fields))).json())[1]

    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    assert "messages[0].content[0].source.data is broken" in await message(
        messages=[{"role": "user", "content": [image]}]
    )
    assert "'max_tokens'" in await message(max_tokens=0)
    assert "messages[0].role" in await message(messages=[{"role": "tool", "content": "x"}])


async def test_without_a_key(tmp_path: Path) -> None:
    async with served(tmp_path, api_key="the-key") as api:
        for headers in ({}, {"x-api-key": "wrong"}, {"Authorization": "Bearer wrong"}):
            response = await api.post(MESSAGES, asks("hi"), **headers)
            assert (response.status_code, strict_error(response.json())[0]) == (401, "authentication_error")
        versioned = await api.http.get("/v1/models", headers={"anthropic-version": "2023-06-01"})
        assert strict_error(versioned.json())[0] == "authentication_error"
        plain = await api.http.get("/v1/models")
        assert plain.json()["error"]["code"] == "invalid_api_key"


async def test_a_page_of_strangers(api: Served) -> None:
    response = await api.post(MESSAGES, asks("hi"), Origin="https://example.com")
    assert (response.status_code, strict_error(response.json())[0]) == (403, "permission_error")


async def test_without_a_model(tmp_path: Path) -> None:
    async with served(tmp_path, loader=None) as api:
        for path in (MESSAGES, COUNT):
            response = await api.post(path, asks("hi"))
            assert (response.status_code, strict_error(response.json())[0]) == (503, "overloaded_error")


async def test_a_full_queue(tmp_path: Path) -> None:
    async with served(tmp_path, parallel=1, max_queue=0) as api:
        first = RawCall(api.app, MESSAGES, json.dumps(asks("stall", stream=True)).encode())
        async with calling(first):
            await first.until_body(b"content_block_delta")
            response = await api.post(MESSAGES, asks("echo: hi"))
        assert (response.status_code, strict_error(response.json())[0]) == (429, "rate_limit_error")
        assert int(response.headers["Retry-After"]) > 0


async def test_a_body_that_is_too_large(tmp_path: Path) -> None:
    async with served(tmp_path, api_max_body_mb=1) as api:
        response = await api.post(MESSAGES, asks("x" * 2**20))
        assert (response.status_code, strict_error(response.json())[0]) == (413, "request_too_large")


async def test_what_nobody_foresaw_tells_nothing(api: Served) -> None:
    router = APIRouter()

    @router.post("/v1/messages/broken")
    async def broken(body: dict[str, str]) -> None:
        raise RuntimeError(body["prompt"])

    api.app.include_router(router)
    response = await api.post("/v1/messages/broken", {"prompt": "my secret"})
    assert (response.status_code, strict_error(response.json())[0]) == (500, "api_error")
    assert "secret" not in response.text


async def test_other_callers_are_answered_in_openais_shape(api: Served) -> None:
    assert (await api.post(CHAT, says("x", temperature=-1))).json()["error"]["param"] == "temperature"
    assert (await api.post("/v1/messagesx", {})).json()["error"]["code"] == "unknown_url"


@pytest.fixture
async def claude(api: Served) -> AsyncIterator[AsyncAnthropic]:
    http_client = httpx2.AsyncClient(transport=httpx2.ASGITransport(api.app))
    async with AsyncAnthropic(base_url=BASE_URL, api_key="any", http_client=http_client, max_retries=0) as client:
        yield client


async def test_the_official_client_raises_its_own_errors(claude: AsyncAnthropic, tmp_path: Path) -> None:
    with pytest.raises(anthropic.BadRequestError) as refused:
        await claude.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "x" * 9000}])
    assert refused.value.type == "invalid_request_error"
    assert refused.value.request_id is not None
    with pytest.raises(anthropic.NotFoundError):
        await claude.messages.batches.list()
    async with served(tmp_path / "keys", api_key="the-key") as closed:
        transport = httpx2.ASGITransport(closed.app)
        stranger = claude.with_options(http_client=httpx2.AsyncClient(transport=transport))
        with pytest.raises(anthropic.AuthenticationError):
            await stranger.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "x"}])


async def test_the_official_client_raises_on_a_failure_in_a_stream(tmp_path: Path) -> None:
    async with on_port(tmp_path) as (url, serving, _):
        base_url = url.removesuffix("/v1")
        async with AsyncAnthropic(base_url=base_url, api_key="any", max_retries=0) as claude:
            stream = await claude.messages.create(
                model="m", max_tokens=99, messages=[{"role": "user", "content": "stall"}], stream=True
            )
            async with stream:
                while (await anext(stream)).type != "content_block_delta":
                    pass
                serving.cancel()
                with pytest.raises(anthropic.APIStatusError) as failure:
                    # Words may have been on their way.
                    async for _ in stream:
                        pass
        await asyncio.wait([serving])
    assert failure.value.type == "overloaded_error"
