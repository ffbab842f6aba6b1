"""A character that is written on the page, saved with the button that says so, and spoken with."""

import pytest
from playwright.async_api import expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.extended
async def test_new_character_is_saved_by_save(chat: ChatPage, scripted: Site) -> None:
    page = chat.page
    await chat.go_to("Character")
    await page.get_by_role("tab", name="Greetings").click()
    greeting = page.locator("#character-greeting textarea")
    await expect(greeting).not_to_have_value("")
    await page.click("#character-new")
    await expect(greeting).to_have_value("")
    await page.fill("#character-name input, #character-name textarea", "Captain: Flint?")
    await greeting.fill("Who goes there?")
    await page.click("#character-save")
    await expect(page.locator("#character-menu input")).to_have_value("Captain Flint")
    await expect(chat.notices).to_contain_text("Captain Flint")
    assert (scripted.data / "characters" / "Captain Flint.yaml").is_file()
    await chat.go_to("Chat")
    await chat.speak_with("Captain Flint")
    await expect(chat.replies).to_have_text("Who goes there?")
    await chat.speak_with_nobody()
