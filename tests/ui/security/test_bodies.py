"""Bodies that are too much: refused within bounds, while everybody else is answered."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

import httpx
import psutil
import pytest

from tests.ui.served import ServedPage
from tests.ui.wire import new_tab

pytestmark = pytest.mark.asyncio(loop_scope="module")

JOIN: Final = "/gradio_api/queue/join"
MIB: Final = 2**20
JSON: Final = {"content-type": "application/json"}


async def test_a_huge_body_is_refused_before_it_is_held(page: ServedPage) -> None:
    before = psutil.Process().memory_info().rss

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"[" * MIB

    for content in (b"x" * (17 * MIB), endless()):
        # The connection is closed while the body is still being sent, and the answer may be lost with it.
        with suppress(httpx.NetworkError, httpx.RemoteProtocolError):
            assert (await page.http.post(JOIN, content=content, headers=JSON)).status_code == 413
    assert psutil.Process().memory_info().rss - before < 120 * MIB
    await _expect_life(page)


@pytest.mark.parametrize("depth", [500, 100_000])
async def test_deep_json_is_refused(page: ServedPage, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    async with new_tab(page.http) as tab:
        session, number = json.dumps(tab.session), tab.dependency("box", "submit")["id"]
        body = f'{{"data": {deep}, "fn_index": {number}, "session_hash": {session}}}'
        response = await page.http.post(JOIN, content=body, headers=JSON)
        assert response.status_code in {200, 400, 422}
    await _expect_life(page)


async def test_thousands_of_parts_are_refused(page: ServedPage) -> None:
    files = [("files", (f"{number}.txt", b"x")) for number in range(10_000)]
    assert (await page.http.post("/gradio_api/upload", files=files)).status_code == 400
    fields = {f"field{number}": "x" for number in range(10_000)}
    assert (await page.http.post("/login", data=fields)).status_code in {302, 400, 422}
    await _expect_life(page)


async def test_a_broken_upload_is_refused(page: ServedPage) -> None:
    for boundary, content in (("x", b"--y"), ("x" * 5000, b"-" * MIB), ("x", b"\r\n" * 10_000), ("", b"")):
        headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
        response = await page.http.post("/gradio_api/upload", content=content, headers=headers)
        assert response.status_code in {200, 400, 415}
    await _expect_life(page)


async def test_others_are_answered_meanwhile(page: ServedPage) -> None:
    body = json.dumps({"data": ["x" * 100] * 100_000, "fn_index": 0, "session_hash": "x"})
    async with new_tab(page.http) as tab:
        posts = [asyncio.create_task(page.http.post(JOIN, content=body, headers=JSON)) for _ in range(3)]
        async with asyncio.timeout(20):
            assert await tab.ask("echo: meanwhile") == "meanwhile"
        await asyncio.gather(*posts)


async def _expect_life(page: ServedPage) -> None:
    async with asyncio.timeout(5):
        assert (await page.http.get("/config")).status_code == 200
