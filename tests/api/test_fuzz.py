"""Whatever is asked of whichever route, the answer is one of the API, and the next request is answered."""

import asyncio
import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extensions.openai.app import ROUTERS
from tests.api.fuzzing import Asked, Operation, operations, requests_of
from tests.api.serving import CHAT, Served, chunks_of, says

T = TypeVar("T")

# Not a measurement: what has not been answered by then never will be.
HANGS_SECONDS: Final = 60
DAILY, EXTENDED = 3, 300
# Few enough for one example, which may hold eight thousand choices.
TOGETHER: Final = 10
# Not built yet, and not possible now.
ALLOWED_FAILURES: Final = frozenset({501, 503})
JSON_HEADERS: Final = {"Content-Type": "application/json"}
BROKEN: Final = (
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff\xfe",
    b"nul",
    b"[" * 50_000,
    b'{"messages": "\\ud800"}',
    b"\0",
    b'{"a":1}{"a":1}',
)


def _document() -> dict[str, Any]:
    app = FastAPI()
    for router in ROUTERS:
        app.include_router(router)
    return app.openapi()


DOCUMENT: Final = _document()
OPERATIONS: Final = operations(ROUTERS, DOCUMENT)


@pytest.mark.parametrize(
    "operations",
    [OPERATIONS[at : at + TOGETHER] for at in range(0, len(OPERATIONS), TOGETHER)],
    ids=lambda some: str(some[0]),
)
async def test_few_requests_break_no_route(
    api: Served, caplog: pytest.LogCaptureFixture, operations: list[Operation]
) -> None:
    """One request of each route in every example: most of the time would go into a search and an app for each."""
    ids, seen = await _things(api), set[str]()

    async def ask(all_asked: tuple[Asked, ...]) -> None:
        for operation, asked in zip(operations, all_asked, strict=True):
            seen.add(str(operation))
            await _expect_answer_to(api, caplog, operation, asked)

    requests = st.tuples(*(requests_of(DOCUMENT, operation, ids) for operation in operations))
    await asyncio.to_thread(_for_examples, asyncio.get_running_loop(), ask, requests, DAILY)
    assert seen == set(map(str, operations))
    await _expect_life(api)


@pytest.mark.extended
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
async def test_no_request_breaks_a_route(api: Served, caplog: pytest.LogCaptureFixture, operation: Operation) -> None:
    ids = await _things(api)

    async def ask(asked: Asked) -> None:
        await _expect_answer_to(api, caplog, operation, asked)

    requests = requests_of(DOCUMENT, operation, ids)
    await asyncio.to_thread(_for_examples, asyncio.get_running_loop(), ask, requests, EXTENDED)
    await _expect_life(api)


@pytest.mark.parametrize("operation", [each for each in OPERATIONS if each.schema is not None], ids=str)
async def test_no_broken_body_breaks_a_route(
    api: Served, caplog: pytest.LogCaptureFixture, operation: Operation
) -> None:
    for body in BROKEN:
        await _expect_answer(api, caplog, operation.method, operation.path, {}, body)
    await _expect_life(api)


def _for_examples(
    loop: asyncio.AbstractEventLoop,
    ask: Callable[[T], Coroutine[Any, Any, None]],
    requests: st.SearchStrategy[T],
    count: int,
) -> None:
    """On a thread, because Hypothesis calls functions, while the event loop of the application turns."""

    @settings(max_examples=count, suppress_health_check=list(HealthCheck))
    @given(requests)
    def example(asked: T) -> None:
        asyncio.run_coroutine_threadsafe(ask(asked), loop).result()

    example()


async def _things(api: Served) -> tuple[str, ...]:
    """The ids of a stored response and of a conversation, and the name of a model."""
    response = (await api.post("/v1/responses", {"input": "echo: kept"})).json()
    conversation = (await api.post("/v1/conversations", {})).json()
    return str(response["id"]), str(conversation["id"]), "scripted"


async def _expect_answer_to(api: Served, caplog: pytest.LogCaptureFixture, operation: Operation, asked: Asked) -> None:
    body = None if asked.body is None else json.dumps(asked.body).encode()
    await _expect_answer(api, caplog, operation.method, asked.path, asked.query, body)


async def _expect_answer(
    api: Served, caplog: pytest.LogCaptureFixture, method: str, path: str, query: Any, body: bytes | None
) -> None:
    caplog.clear()
    headers = {} if body is None else JSON_HEADERS
    async with asyncio.timeout(HANGS_SECONDS):
        response = await api.http.request(method, path, params=query, content=body, headers=headers)
    assert response.status_code < 500 or response.status_code in ALLOWED_FAILURES, response.text
    assert "text/html" not in response.headers.get("content-type", "")
    if response.status_code >= 400 and method != "HEAD":
        assert response.json()["error"]["message"]
    if response.headers.get("content-type", "").startswith("text/event-stream"):
        _expect_no_broken_stream(response)
    broken = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR or record.exc_info]
    assert not broken


def _expect_no_broken_stream(response: httpx.Response) -> None:
    """An error in it is one that the API knows."""
    for event in chunks_of(response.text):
        error = event.get("error") or (event.get("response") or {}).get("error")
        assert not error or "unexpected" not in json.dumps(error).lower(), error


async def _expect_life(api: Served) -> None:
    """After an unload, the name of the model brings it back."""
    await api.post("/v1/internal/model/load", {"model_name": "scripted"})
    answer = (await api.post(CHAT, says("echo: still here"))).json()
    assert answer["choices"][0]["message"]["content"] == "still here"
