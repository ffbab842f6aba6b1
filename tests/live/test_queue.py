"""What happens when more ask than there is room for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import httpx2
import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from tests.live.client import CHAT, endless, error_of, rest_of, right_answer, streaming
from tests.live.server import LiveServer, live_server

pytestmark = [pytest.mark.live, pytest.mark.model]

PARALLEL, QUEUE = 2, 4
ROOM, TOO_MANY = PARALLEL + QUEUE, 5


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    folder = tmp_path_factory.mktemp("server")
    async with live_server(folder, "--parallel", PARALLEL, "--max-queue", QUEUE) as running:
        yield running


@asynccontextmanager
async def full_house(http: httpx.AsyncClient) -> AsyncIterator[list[httpx.Response]]:
    """There is no room while the block runs; yields the answers of those who were too many."""
    requests = [asyncio.create_task(http.post(CHAT, json=endless())) for _ in range(ROOM + TOO_MANY)]
    try:
        first = asyncio.as_completed(requests)
        yield [await next(first) for _ in range(TOO_MANY)]
    finally:
        for request in requests:
            request.cancel()
        await asyncio.wait(requests)


async def test_beyond_the_queue_is_429_at_once_with_the_time_to_come_back(http: httpx.AsyncClient) -> None:
    async with full_house(http) as refused:
        for response in refused:
            assert (response.status_code, response.json()["error"]["type"]) == (429, "rate_limit_error")
            assert int(response.headers["Retry-After"]) >= 1


async def test_openai_client_is_told_and_comes_back_by_itself(server: LiveServer, http: httpx.AsyncClient) -> None:
    was_refused = asyncio.Event()

    async def note(response: httpx2.Response) -> None:
        if response.status_code == 429:
            was_refused.set()

    wire = httpx2.AsyncClient(event_hooks={"response": [note]})
    async with AsyncOpenAI(base_url=f"{server.url}/v1", api_key="x", http_client=wire, max_retries=10) as client:
        async with full_house(http):
            with pytest.raises(openai.RateLimitError):
                await ask_through(client.with_options(max_retries=0))
            was_refused.clear()
            patient = asyncio.create_task(ask_through(client))
            await was_refused.wait()
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
