"""Failures as callers see them: one shape, the right status, nothing of the inside."""

import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import APIRouter
from openai import APIStatusError, AsyncOpenAI, BadRequestError, NotFoundError

from extensions.openai.common.errors import HTTP_ERRORS, http_error_of
from modules import errors
from modules.errors import Busy, EngineFailed, ServiceError
from modules.serving import protocol as limits
from tests.api.serving import CHAT, TEXT, RawCall, Served, calling, says, served


def test_every_error_of_the_product_has_its_row() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ServiceError)]
    for kind in kinds:
        assert kind is ServiceError or any(parent in HTTP_ERRORS for parent in kind.__mro__), kind


def test_a_failure_that_costs_much_is_not_to_be_retried() -> None:
    assert not http_error_of(EngineFailed("x")).is_worth_retrying
    assert http_error_of(Busy("x")).is_worth_retrying


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "unknown_url"),
        ("POST", "/v1/threads", 404, "unknown_url"),
        ("GET", "/", 405, "method_not_supported"),
        ("GET", "/v1/models/nothing", 404, "model_not_found"),
        ("GET", CHAT, 405, "method_not_supported"),
        ("PUT", "/v1/models", 405, "method_not_supported"),
    ],
)
async def test_what_is_not_there(api: Served, method: str, path: str, status: int, code: str) -> None:
    response = await api.http.request(method, path)
    assert response.status_code == status
    error = response.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == ("invalid_request_error", code)


async def test_an_unknown_url_is_named(api: Served) -> None:
    assert "Unknown request URL: GET /v1/nothing" in (await api.http.get("/v1/nothing")).text


async def test_a_body_of_another_type_does_not_run(api: Served) -> None:
    content = json.dumps(says("echo: hi")).encode()
    for headers in ({"Content-Type": "text/plain"}, {}):
        response = await api.http.post(CHAT, content=content, headers=headers)
        assert response.status_code == 400
        assert "application/json" in response.json()["error"]["message"]


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_without_a_model(tmp_path: Path, is_streamed: bool) -> None:
    async with served(tmp_path, loader=None) as api:
        response = await api.post(CHAT, says("hi", stream=is_streamed))
        assert (response.status_code, response.json()["error"]["code"]) == (503, "model_not_loaded")
        assert response.headers["x-should-retry"] == "false"
        assert (await api.http.get("/health")).status_code == 200


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_model_that_fails_at_once(api: Served, is_streamed: bool) -> None:
    response = await api.post(CHAT, says("fail", stream=is_streamed))
    assert (response.status_code, response.json()["error"]["code"]) == (503, "engine_failed")
    again = await api.post(CHAT, says("echo: back"))
    assert again.json()["choices"][0]["message"]["content"] == "back"


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_full_queue_asks_to_come_back(tmp_path: Path, is_streamed: bool) -> None:
    async with served(tmp_path, parallel=1, max_queue=0) as api:
        first = RawCall(api.app, CHAT, json.dumps(says("stall", stream=True)).encode())
        async with calling(first):
            await first.until_says("waiting")
            response = await api.post(CHAT, says("echo: hi", stream=is_streamed))
        assert (response.status_code, response.json()["error"]["code"]) == (429, "queue_full")
        assert int(response.headers["Retry-After"]) > 0


async def test_a_body_that_is_too_large(tmp_path: Path) -> None:
    async with served(tmp_path, api_max_body_mb=1) as api:
        response = await api.post(CHAT, says("x" * 2**20))
        assert (response.status_code, response.json()["error"]["code"]) == (413, "request_too_large")
        in_parts = await api.http.post(CHAT, content=_parts(20), headers={"Content-Type": "application/json"})
        assert (in_parts.status_code, in_parts.json()["error"]["code"]) == (413, "request_too_large")


async def _parts(count: int) -> AsyncIterator[bytes]:
    """A body whose length nobody announces."""
    for _ in range(count):
        yield b"x" * 2**16


async def test_a_body_that_does_not_arrive(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_TIMEOUT_SECONDS", 0.01)
    call = RawCall(api.app, CHAT, b"", has_read_body=True)
    await call.run()
    assert call.status == 408


async def test_what_nobody_foresaw_tells_nothing(api: Served, caplog: pytest.LogCaptureFixture) -> None:
    router = APIRouter()

    @router.post("/v1/broken")
    async def broken(body: dict[str, str]) -> None:
        raise RuntimeError(body["prompt"])

    api.app.include_router(router)
    with caplog.at_level(logging.ERROR):
        response = await api.post("/v1/broken", {"prompt": "my secret"})
    assert response.status_code == 500
    assert response.headers["x-should-retry"] == "false"
    assert response.json()["error"]["type"] == "server_error"
    assert "secret" not in response.text + caplog.text
    assert "broken" in caplog.text


async def test_the_official_client_raises_its_own_errors(client: AsyncOpenAI) -> None:
    with pytest.raises(BadRequestError) as refused:
        await client.chat.completions.create(model="x", messages=[{"role": "user", "content": "x" * 9000}])
    assert refused.value.code == "context_length_exceeded"
    assert refused.value.param == "messages"
    with pytest.raises(NotFoundError):
        await client.models.retrieve("nothing")
    with pytest.raises(APIStatusError) as later:
        await client.audio.speech.create(model="x", voice="alloy", input="x")
    assert later.value.status_code == 501


async def test_every_answer_has_an_id_of_its_own(client: AsyncOpenAI) -> None:
    models = await client.models.with_raw_response.list()
    with pytest.raises(NotFoundError) as caught:
        await client.models.retrieve("nothing")
    assert models.headers["x-request-id"].startswith("req_")
    assert caught.value.request_id not in (None, models.headers["x-request-id"])


async def test_no_prompt_is_logged(api: Served, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        await api.post(CHAT, says("echo: a-secret-word", temperature=-1))
        await api.post(CHAT, says("echo: a-secret-word"), Authorization="Bearer a-secret-key")
        await api.post(TEXT, {"prompt": "a-secret-word", "stream": True})
    assert "a-secret" not in caplog.text


async def test_requests_are_logged_only_for_who_asks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with served(tmp_path, openai_debug=True) as api:
        with caplog.at_level(logging.INFO, "extensions"):
            await api.post(CHAT, says("echo: a-secret-word"))
    assert "POST /v1/chat/completions → 200" in caplog.text
    assert "a-secret" not in caplog.text
