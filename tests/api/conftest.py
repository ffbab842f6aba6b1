"""Fixtures of the API's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from openai import AsyncOpenAI

from tests.api.serving import BASE_URL, Served, served


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Served]:
    """The app as it is without any setting."""
    async with served(tmp_path) as serving:
        yield serving


@pytest.fixture
async def client(api: Served) -> AsyncIterator[AsyncOpenAI]:
    """The official client, over that app."""
    transport = httpx2.ASGITransport(api.app)
    async with AsyncOpenAI(
        base_url=f"{BASE_URL}/v1",
        api_key="sk-any",
        http_client=httpx2.AsyncClient(transport=transport),
        max_retries=0,
    ) as client:
        yield client
