"""The model picker as its users handle it: what a change of the model takes, waits for, and shows everywhere."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site, scripted_site
from tests.browser.visits import PHONE, visiting

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_MODEL_BYTES: Final = 3 * 2**20


@dataclass
class Picker:
    """Counts what is pressed."""

    page: Page
    clicks: int = 0

    async def press(self, selector: str, text: str | None = None) -> None:
        self.clicks += 1
        await self.page.locator(selector).filter(has_text=text or "").first.click()

    async def settings_of(self, name: str) -> None:
        self.clicks += 1
        line = self.page.locator(".picker-line", has_text=name)
        await line.first.get_by_role("button", name="Load settings").click()

    async def open(self) -> None:
        await self.press("#model-pill .pill")

    async def choose(self, name: str) -> None:
        await self.open()
        await self.press(".picker-row", name)

    async def shows(self, name: str, state: str = "loaded") -> None:
        await expect(self.page.locator("#model-pill .pill-name")).to_have_text(name)
        await expect(self.page.locator(f"#model-pill .pill-dot.{state}")).to_be_visible()


def _site_folder(folder: Path) -> Path:
    (folder / "models").mkdir()
    for name in ("Alpha-1B-Q4_K_M.gguf", "Beta-2B-Q8_0.gguf"):
        (folder / "models" / name).write_bytes(bytes(_MODEL_BYTES))
    return folder


async def _said_by_api(site: Site, words: str) -> str:
    async with site.server.client() as http:
        body = {"messages": [{"role": "user", "content": words}]}
        answer = (await http.post("/v1/chat/completions", json=body)).raise_for_status().json()
    return str(answer["choices"][0]["message"]["content"])


async def test_model_is_changed_from_the_chat(browser: Browser, scripted: Site, tmp_path: Path) -> None:
    far = f"far={scripted.api}"
    folder = _site_folder(tmp_path)
    async with (
        scripted_site(folder, upstream=[far], recommended_sampling="on") as site,
        visiting(browser, site.url) as page,
    ):
        chat, picker = ChatPage(page), Picker(page)
        await chat.new()
        await picker.shows("scripted")
        # The page asks with what is recommended; the API has what the settings say.
        await chat.say("sampling")
        await expect(chat.replies).to_have_text("0.7 0.95 40 0.05")
        assert await _said_by_api(site, "sampling") == "0 1 0 0"

        picker.clicks = 0
        await picker.choose("Alpha-1B")
        await picker.shows("Alpha-1B")
        assert picker.clicks == 2
        await chat.say("echo: By another one")
        await expect(page.locator("#chat .message-acts .info").last).to_contain_text("Alpha-1B-Q4_K_M.gguf")

        picker.clicks = 0
        await picker.open()
        await expect(page.locator(".picker-row", has_text="Beta-2B")).to_contain_text("Q8_03 MBfits")
        await expect(page.locator(".picker-row", has_text="Alpha-1B")).to_contain_text("Vision")
        await picker.settings_of("Beta-2B")
        await expect(page.locator(".load-settings [data-field=ctx_size]")).to_be_focused()
        await page.keyboard.press("ControlOrMeta+a")
        await page.keyboard.type("2048")
        await picker.press(".load-settings .overlay-button", "Load")
        await picker.shows("Beta-2B")
        assert picker.clicks <= 4
        await expect(page.locator("#model-pill .pill-detail")).to_have_text("Q8_0 · 2k")

        await page.keyboard.press("Control+Shift+M")
        await expect(page.locator(".picker-search input")).to_be_focused()
        await page.keyboard.type("alpha")
        await expect(page.locator(".picker-row")).to_have_count(1)
        await page.keyboard.press("Enter")
        await picker.shows("Alpha-1B")
        await picker.choose("Beta-2B")
        # As it was loaded last.
        await expect(page.locator("#model-pill .pill-detail")).to_have_text("Q8_0 · 2k")

        await picker.open()
        await picker.press('.picker-row[data-name="far/scripted"]')
        await picker.shows("scripted", "remote")
        await chat.say("echo: From elsewhere")
        await expect(page.locator("#chat .message-acts .info").last).to_contain_text("far/scripted")
        await chat.new()
        await picker.shows("scripted", "remote")


async def test_replies_and_messages_survive_a_change(browser: Browser, tmp_path: Path) -> None:
    async with scripted_site(_site_folder(tmp_path)) as site, visiting(browser, site.url, viewport=PHONE) as page:
        chat, picker = ChatPage(page), Picker(page)
        await expect(chat.box).to_be_visible()
        await page.locator("#new-chat").dispatch_event("click")
        await expect(chat.chosen).to_have_count(0)
        await chat.write("slow 4000")
        await expect(chat.live.last).to_contain_text("abc")
        await picker.choose("Alpha-1B")
        await expect(page.locator(".overlay.question")).to_contain_text("1 reply is being written")
        await page.get_by_role("button", name="Wait").click()
        await picker.shows("scripted", "loading")
        await page.click("#model-pill .pill-stop")
        await picker.shows("scripted")
        await picker.choose("Alpha-1B")
        await page.get_by_role("button", name="Stop and load").click()
        await picker.shows("Alpha-1B")
        await chat.until_done()
        await expect(chat.replies).to_contain_text("abc")

        async with site.server.client() as http:
            (await http.post("/v1/internal/model/unload")).raise_for_status()
        # Nobody pressed anything here.
        await picker.shows("Choose a model", "none")
        await chat.write("echo: Not lost")
        await expect(chat.box).to_have_value("echo: Not lost")
        await picker.choose("Beta-2B")
        await expect(chat.replies.last).to_have_text("Not lost")
        await expect(chat.box).to_have_value("")
