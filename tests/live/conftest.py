"""The server that the tests of one module share, and an HTTP client for it."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.live.server import LiveServer, live_server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LiveServer]:
    async with live_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
async def http(server: LiveServer) -> AsyncIterator[httpx.AsyncClient]:
    async with server.client() as client:
        yield client
