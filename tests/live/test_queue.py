"""What happens when more ask than there is room for."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from tests.live.client import CHAT, endless, error_of, rest_of, right_answer, streaming, until_text
from tests.live.server import LiveServer, live_server

pytestmark = [pytest.mark.live, pytest.mark.model]

PARALLEL, QUEUE = 2, 4
ROOM = PARALLEL + QUEUE


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    folder = tmp_path_factory.mktemp("server")
    async with live_server(folder, "--parallel", PARALLEL, "--max-queue", QUEUE) as running:
        yield running


async def test_beyond_the_queue_is_429_at_once_with_the_time_to_come_back(http: httpx.AsyncClient) -> None:
    requests = [asyncio.create_task(http.post(CHAT, json=endless(100))) for _ in range(ROOM + 5)]
    first = [await task for _, task in zip(range(5), asyncio.as_completed(requests), strict=False)]
    assert [response.status_code for response in first] == [429] * 5
    for response in first:
        assert response.json()["error"]["type"] == "rate_limit_error"
        assert int(response.headers["Retry-After"]) >= 1
    statuses = [response.status_code for response in await asyncio.gather(*requests)]
    assert sorted(statuses) == [200] * ROOM + [429] * 5


async def test_openai_client_is_told_and_comes_back_by_itself(server: LiveServer, http: httpx.AsyncClient) -> None:
    waiting = [asyncio.create_task(http.post(CHAT, json=endless())) for _ in range(ROOM - 1)]
    async with (
        AsyncOpenAI(base_url=f"{server.url}/v1", api_key="sk-any", max_retries=0) as client,
        streaming(http, endless()) as events,
    ):
        await until_text(events)
        with pytest.raises(openai.RateLimitError):
            await ask_through(client)
        patient = asyncio.create_task(ask_through(client.with_options(max_retries=10)))
        for task in waiting:
            task.cancel()
        assert await patient == right_answer(7)


async def test_streams_that_wait_in_line_all_get_their_turn(http: httpx.AsyncClient) -> None:
    async def whole_stream() -> list[str]:
        async with streaming(http, endless(30)) as events:
            return await rest_of(events)

    for events in await asyncio.gather(*(whole_stream() for _ in range(ROOM))):
        assert not any(error_of(event) for event in events)


async def ask_through(client: AsyncOpenAI) -> str | None:
    words = f"Repeat exactly: {right_answer(7)}"
    reply = await client.chat.completions.create(
        model="x", messages=[{"role": "user", "content": words}], max_tokens=20, temperature=0
    )
    return reply.choices[0].message.content
