"""What the other tabs are for, each to its visible end: notebook, presets, extensions, and the API to be pasted."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from playwright.async_api import Browser, expect

from modules.settings.values import OPTIONS
from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site
from tests.browser.visits import visiting

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_notebook_goes_on_with_a_text(chat: ChatPage, scripted: Site) -> None:
    page = chat.page
    await chat.go_to("Notebook")
    text = page.locator("#notebook-text textarea")
    await text.fill("echo: and so it ends")
    await page.click("#generate")
    await expect(text).to_have_value("echo: and so it endsand so it ends")
    await page.click("#undo-writing")
    await expect(text).to_have_value("echo: and so it ends")
    await chat.go_to("Chat")


async def test_notebook_keeps_what_is_pasted(chat: ChatPage) -> None:
    page = chat.page
    await chat.go_to("Notebook")
    text = page.locator("#notebook-text textarea")
    await text.focus()
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.insert_text("Pasted in one go.")
    # The scripted model's tokens are bytes: a count of this text, and not of the one before, follows its saving.
    await expect(page.locator("#notebook-status")).to_contain_text("17 tokens")
    await page.reload()
    await chat.go_to("Notebook")
    await expect(text).to_have_value("Pasted in one go.")
    await chat.go_to("Chat")


async def test_preset_is_saved_and_loaded(chat: ChatPage, scripted: Site) -> None:
    page = chat.page
    await chat.inspect("Sampling")
    await chat.choose("#preset-menu", "min_p")
    await expect(page.locator("#parameter-min-p input[type=number]")).to_have_value("0.05")
    temperature = page.locator("#parameter-temperature input[type=number]")
    await temperature.press("ControlOrMeta+a")
    await temperature.press_sequentially("0.35")
    await temperature.press("Tab")
    await page.click("#save-preset-as")
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("textbox")).to_have_value("min_p")
    await dialog.get_by_role("textbox").fill("Calm")
    await page.keyboard.press("Enter")
    await expect(page.locator("#preset-menu input")).to_have_value("Calm")
    saved = yaml.safe_load((scripted.data / "presets" / "Calm.yaml").read_text(encoding="utf-8"))
    assert saved["temperature"] == 0.35
    # What is chosen is saved without a question.
    await temperature.press("ControlOrMeta+a")
    await temperature.press_sequentially("0.45")
    await temperature.press("Tab")
    await page.click("#save-preset")
    await scripted.server.until(lambda: "0.45" in (scripted.data / "presets" / "Calm.yaml").read_text("utf-8"))
    await chat.choose("#preset-menu", "Deterministic")
    await expect(temperature).not_to_have_value("0.45")
    await chat.choose("#preset-menu", "Calm")
    await expect(temperature).to_have_value("0.45")
    await chat.go_to("Chat")


async def test_what_is_entered_is_there_at_the_next_visit(chat: ChatPage, scripted: Site) -> None:
    page = chat.page
    penalty = page.get_by_label("number input for Presence penalty", exact=True)
    banned = page.locator("#parameter-ban-eos-token input")
    for value, is_banned in ((0.4, True), (0, False)):
        entered = {"presence_penalty": value, "ban_eos_token": is_banned}
        await chat.inspect("Sampling")
        await penalty.fill(str(value))
        await penalty.press("Tab")
        await banned.set_checked(is_banned)
        await _until_saved(scripted, entered)
        await page.reload()
        await chat.inspect("Sampling")
        await expect(penalty).to_have_value(str(value))
        await expect(banned).to_be_checked(checked=is_banned)
    await chat.go_to("Chat")


async def test_extension_is_switched_on_for_the_next_start(chat: ChatPage, scripted: Site) -> None:
    page = chat.page
    await chat.go_to("Extensions")
    await page.locator("#extensions").get_by_label("long_replies").check()
    await page.click("#extensions-save")
    await expect(chat.notices.first).to_be_visible()
    assert "long_replies" in _settings(scripted, "default_extensions")["default_extensions"]
    await page.locator("#extensions").get_by_label("long_replies").uncheck()
    await page.click("#extensions-save")
    await chat.go_to("Chat")


async def test_api_is_switched_off_and_on(chat: ChatPage) -> None:
    page = chat.page
    await chat.go_to("API")
    await expect(page.locator("#api-address")).to_be_visible()
    await page.click("#stop-openai")
    await expect(page.locator("#api-address")).to_be_hidden()
    await page.click("#start-openai")
    await expect(page.locator("#api-address")).to_be_visible()
    await chat.go_to("Chat")


@pytest.mark.model
async def test_what_is_asked_again_and_again_waits_while_the_tab_is_hidden(chat: ChatPage) -> None:
    asked: list[str] = []
    chat.page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    await chat.page.evaluate(
        """async () => {
          const tick = gradio_config.dependencies.find((each) => each.targets.some(([, kind]) => kind === "tick"));
          Object.defineProperty(document, "hidden", { configurable: true, value: true });
          const body = `{"fn_index":${tick.id},"trigger_id":null}`;
          const waiting = fetch("gradio_api/queue/join", { method: "POST", body }).catch(() => {});
          await fetch("gradio_api/app_id");
          delete document.hidden;
          document.dispatchEvent(new Event("visibilitychange"));
          await waiting;
        }"""
    )
    assert [each for each in asked if each in {"app_id", "join"}] == ["app_id", "join"]


async def test_examples_of_the_api_work_when_pasted(browser: Browser, real: Site) -> None:
    async with visiting(browser, real.url) as page:
        await ChatPage(page).go_to("API")
        example = page.locator("#api-code .cm-content")
        await expect(example).to_contain_text("curl")
        answer = await _run(["bash", "-c", await example.inner_text()])
        assert '"content"' in answer
        await page.locator("#api-example").get_by_label("Python, streaming", exact=True).check()
        await expect(example).to_contain_text("stream=True")
        assert (await _run([sys.executable, "-c", await example.inner_text()])).strip()


def _settings(site: Site, *names: str) -> dict[str, Any]:
    """What is saved so far; the file holds what is not as it was at first."""
    saved = yaml.safe_load((site.data / "settings.yaml").read_text(encoding="utf-8"))
    return {name: saved.get(name, OPTIONS[name].default) for name in names}


async def _until_saved(site: Site, settings: Mapping[str, Any]) -> None:
    await site.server.until(lambda: _settings(site, *settings) == settings)


async def _run(command: list[str]) -> str:
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_presets_are_kept_in_the_settings_and_menus_follow(chat: ChatPage, scripted: Site) -> None:
    page = chat.page
    await chat.inspect("Sampling")
    await chat.go_to("Presets")
    files, dialog = page.locator("#preset-files"), page.get_by_role("dialog")
    await files.get_by_role("button", name="New preset").click()
    await dialog.get_by_role("textbox", name="Name", exact=True).fill("Hot")
    await dialog.locator(".file-text").fill("temperature: hot")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_contain_text("must be a number")
    await dialog.locator(".file-text").fill("temperature: 1.5")
    await dialog.get_by_role("button", name="Save").click()
    row = files.locator("li").filter(has_text="Hot")
    await expect(row).to_have_count(1)
    await row.get_by_role("button", name="Delete").click()
    await expect(row).to_have_count(0)
    await files.get_by_role("button", name="Undo").click()
    await expect(row).to_have_count(1)
    assert (scripted.data / "presets" / "Hot.yaml").read_text("utf-8") == "temperature: 1.5"
    await chat.go_to("Chat")
    await chat.choose("#preset-menu", "Hot")
    await expect(page.locator("#parameter-temperature input[type=number]")).to_have_value("1.5")
    await chat.choose("#preset-menu", "Deterministic")
