"""The page's own scripts: packed only for who is far away, and asked for once."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.ui.served import ServedPage, served_page

pytestmark = pytest.mark.asyncio(loop_scope="module")

ZIPPED = {"accept-encoding": "gzip"}
FAR = {**ZIPPED, "x-forwarded-for": "203.0.113.7"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServedPage]:
    async with served_page(tmp_path_factory.mktemp("user_data")) as served:
        yield served


async def first_script(page: ServedPage) -> str:
    """The address of the script that the page begins with."""
    named = re.search(r"assets/index-[\w-]+\.js", (await page.http.get("/")).text)
    assert named is not None
    return f"/{named[0]}"


@pytest.mark.parametrize(("headers", "encoding"), [(ZIPPED, None), (FAR, "gzip")], ids=["near", "far"])
async def test_only_what_travels_is_packed(page: ServedPage, headers: dict[str, str], encoding: str | None) -> None:
    answer = await page.http.get(await first_script(page), headers=headers)
    assert answer.headers.get("content-encoding") == encoding
    assert "javascript" in answer.headers["content-type"]
    assert len(answer.text) > 10_000


@pytest.mark.parametrize("headers", [ZIPPED, FAR], ids=["near", "far"])
async def test_a_script_is_kept_and_the_page_is_not(page: ServedPage, headers: dict[str, str]) -> None:
    script = await page.http.get(await first_script(page), headers=headers)
    assert "immutable" in script.headers["cache-control"]
    for path in ("/", "/config", "/assets/nothing.js", "/assets/"):
        answer = await page.http.get(path, headers=headers)
        assert "immutable" not in answer.headers.get("cache-control", "")


@pytest.mark.parametrize("path", ["../index.html", "%2e%2e/index.html", "/etc/passwd", "..%2f..%2f__init__.py"])
async def test_only_assets_are_assets(page: ServedPage, path: str) -> None:
    assert (await page.http.get(f"/assets/{path}")).status_code in {400, 403, 404, 405}
