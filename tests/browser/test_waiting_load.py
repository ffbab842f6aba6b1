"""A load in the Model tab takes no reply away that nobody has given up."""

import pytest
from playwright.async_api import expect

from tests.browser.chat_page import ChatPage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize(
    "act",
    [
        pytest.param("load-model", marks=pytest.mark.extended),
        "unload-model",
        pytest.param("apply-loras", marks=pytest.mark.extended),
    ],
)
async def test_replies_end_first_or_by_the_users_word(chat: ChatPage, act: str) -> None:
    page = chat.page
    status = page.locator("#model-status")
    await chat.write("slow 4000")
    await expect(chat.live.last).to_contain_text("abc")
    await chat.go_to("Model")
    await page.click(f"#{act}")
    await expect(status).to_contain_text("Waiting for the end of 1 reply")
    await expect(status).not_to_contain_text("%")
    await page.click("#give-up-load")
    await expect(status).to_contain_text("scripted is loaded")
    await expect(page.locator("#stop-replies")).to_be_hidden()
    await page.click(f"#{act}")
    await expect(status).to_contain_text("Waiting")
    await page.click("#stop-replies")
    await expect(status).to_contain_text("No model is loaded" if act == "unload-model" else "scripted is loaded")
    await expect(page.locator("#stop-replies")).to_be_hidden()
    if act == "unload-model":
        await page.click("#load-model")
        await expect(status).to_contain_text("scripted is loaded")
    await chat.go_to("Chat")
    await expect(chat.replies).to_contain_text("abc")
    await expect(chat.notices).to_have_count(0)


async def test_load_begins_when_the_last_reply_has_ended(chat: ChatPage) -> None:
    await chat.write("stall")
    await expect(chat.live.last).to_contain_text("waiting")
    await chat.go_to("Model")
    await chat.page.click("#load-model")
    await expect(chat.page.locator("#model-status")).to_contain_text("Waiting for the end of 1 reply")
    await chat.go_to("Chat")
    await chat.stop_button.click()
    await chat.until_done()
    await chat.go_to("Model")
    await expect(chat.page.locator("#model-status")).to_contain_text("scripted is loaded")
    await chat.go_to("Chat")
    await expect(chat.replies).to_contain_text("waiting")
