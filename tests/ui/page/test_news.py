"""What the page hears from the server without asking, and what the server forgets of tabs that are left."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from modules.models.options import LoadOptions
from modules.ui.shell import sessions
from tests.ui.served import served_page
from tests.ui.wire import new_tab

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


@asynccontextmanager
async def news(http: httpx.AsyncClient) -> AsyncIterator[AsyncIterator[dict[str, Any]]]:
    async with http.stream("GET", "/news") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        lines = answer.aiter_lines()
        yield (json.loads(line.removeprefix("data: ")) async for line in lines if line)


async def test_news_come_when_there_are_some_and_end_with_the_program(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        async with served_page(tmp_path) as page:
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=page.url, timeout=60, trust_env=False))
            told = await stack.enter_async_context(news(http))
            first = await anext(told)
            program = (await page.http.get("/gradio_api/app_id")).json()["app_id"]
            assert first == {"program": program, "chats": first["chats"], "models": first["models"]}
            async with new_tab(page.http) as tab:
                await tab.ask("echo: something new")
            with_chat = await anext(told)
            assert with_chat["chats"] != first["chats"]
            assert with_chat["models"] == first["models"]
            await page.runtime.models.unload()
            while (unloaded := await anext(told))["models"] == first["models"]:
                pass
            await page.runtime.models.load("scripted", LoadOptions())
            while (await anext(told))["models"] == unloaded["models"]:
                pass
        # Nobody who listens holds up the end.
        assert len([each async for each in told]) < 3


async def test_tab_that_is_left_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "_SECONDS", 0.0)
    async with served_page(tmp_path) as page, new_tab(page.http) as tab, new_tab(page.http) as other:
        for each in (tab, other):
            await each.act("new-incognito", "click")
            await each.ask("echo: kept nowhere")
        answer = await page.http.post("/left", json={"session": tab.session})
        assert answer.status_code == 204
        assert any("was not saved" in notice for notice in (await tab.over(await tab.say("echo: again"))).notices)
        assert not (await other.over(await other.say("echo: again"))).notices
        wrong: list[Any] = [{}, {"session": 1}, {"session": "x" * 101}, []]
        for content in wrong:
            assert (await page.http.post("/left", json=content)).status_code == 422
        assert (await page.http.post("/left", json={"session": "nobody"})).status_code == 204
