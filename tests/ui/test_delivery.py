"""The page's own scripts: packed only for who is far away, and asked for once."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.ui.served import ServedPage, served_page

ZIPPED = {"accept-encoding": "gzip"}
FAR = {**ZIPPED, "x-forwarded-for": "203.0.113.7"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServedPage]:
    async with served_page(tmp_path_factory.mktemp("user_data")) as served:
        yield served


@pytest.fixture
async def script(page: ServedPage) -> str:
    """The address of the script that the page begins with."""
    async with httpx.AsyncClient(base_url=page.url, trust_env=False) as http:
        named = re.search(r"assets/index-[\w-]+\.js", (await http.get("/")).text)
    assert named is not None
    return f"/{named[0]}"


@pytest.mark.parametrize(("headers", "encoding"), [(ZIPPED, None), (FAR, "gzip")])
async def test_only_what_travels_is_packed(
    page: ServedPage, script: str, headers: dict[str, str], encoding: str | None
) -> None:
    async with httpx.AsyncClient(base_url=page.url, trust_env=False) as http:
        answer = await http.get(script, headers=headers)
    assert answer.headers.get("content-encoding") == encoding
    assert len(answer.text) > 10_000


async def test_a_script_is_kept_and_the_page_is_not(page: ServedPage, script: str) -> None:
    async with httpx.AsyncClient(base_url=page.url, trust_env=False) as http:
        assert "immutable" in (await http.get(script)).headers["cache-control"]
        for path in ("/", "/config", "/assets/nothing.js"):
            assert "immutable" not in (await http.get(path)).headers.get("cache-control", "")
