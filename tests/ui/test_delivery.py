"""The page's own scripts: packed only for who is far away, and asked for once."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from gradio.routes import BUILD_PATH_LIB

from tests.ui.served import ServedPage, served_page

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASSETS = Path(str(BUILD_PATH_LIB))
SHEETS = {path.name: path.read_text(encoding="utf-8") for path in sorted(ASSETS.glob("Index-*.css"))[:3]}
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


async def test_style_sheets_that_were_asked_for_come_together(page: ServedPage) -> None:
    for name in SHEETS:
        assert (await page.http.get(f"/assets/{name}")).status_code == 200
    document = (await page.http.get("/")).text
    (together,) = set(re.findall(r'<link rel="stylesheet" href="\./(assets/together-\w+\.css)">', document))
    sheet = await page.http.get(f"/{together}")
    assert sheet.headers["content-type"].startswith("text/css")
    assert "immutable" in sheet.headers["cache-control"]
    for name, content in SHEETS.items():
        assert content in sheet.text
        assert f'<link rel="stylesheet" disabled href="./assets/{name}">' in document
    assert (await page.http.get("/assets/together-0123456789abcdef.css")).status_code == 404
    assert "together-" not in (await page.http.get("/", headers=FAR)).text


async def test_the_document_begins_with_what_makes_browsers_quick(page: ServedPage) -> None:
    document = (await page.http.get("/")).text
    config = document.index("window.gradio_config")
    assert config < document.index("class Unwatched") < document.index('<script type="module"')
    assert len(document.encode()) == int((await page.http.get("/")).headers["content-length"])
