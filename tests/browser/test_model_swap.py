"""Loading another model in the Model tab while a program streams from the old one: that reply ends first."""

import httpx
import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site
from tests.browser.visits import visiting
from tests.live.client import delta_of, endless, finish_of, rest_of, streaming, until_text
from tests.model_files import QWEN, SMOLLM2

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]


async def test_stream_of_the_old_model_ends_before_the_new_one_speaks(browser: Browser, real: Site) -> None:
    async with visiting(browser, real.url) as page, real.server.client() as http:
        chat = ChatPage(page)
        await chat.go_to("Model")
        status = page.locator("#model-status")
        await expect(status).to_contain_text(SMOLLM2)
        await chat.choose("#model-menu", QWEN)
        assert await _loaded(http) == SMOLLM2.removesuffix(".gguf") or SMOLLM2 in await _loaded(http)
        async with streaming(http, endless(200)) as events:
            await until_text(events)
            await page.click("#load-model")
            rest = await rest_of(events)
        assert finish_of(rest) == ["length"]
        assert any(delta_of(event) for event in rest)
        await expect(status).to_contain_text(f"{QWEN} is loaded")
        assert QWEN in await _loaded(http)
        await chat.choose("#model-menu", SMOLLM2)
        await page.click("#load-model")
        await expect(status).to_contain_text(f"{SMOLLM2} is loaded")


async def _loaded(http: httpx.AsyncClient) -> str:
    return str((await http.get("/v1/internal/model/info")).json()["model_name"])
