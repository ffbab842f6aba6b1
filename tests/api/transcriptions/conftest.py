"""One app for all tests of a module: its transcription model is started once."""

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from tests.api.serving import BASE_URL, Served, served


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    async with served(tmp_path_factory.mktemp("user_data")) as serving:
        yield serving


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(api: Served) -> AsyncIterator[AsyncOpenAI]:
    """The official client, over that app."""
    transport = httpx2.ASGITransport(api.app)
    http = httpx2.AsyncClient(transport=transport)
    async with AsyncOpenAI(base_url=f"{BASE_URL}/v1", api_key="sk-any", http_client=http, max_retries=0) as client:
        yield client
