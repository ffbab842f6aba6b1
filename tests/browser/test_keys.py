"""The page's keys: each does what its button does."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.chat_page import ChatPage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_escape_stops(chat: ChatPage) -> None:
    await chat.write("slow 3000")
    await expect(chat.live.last).to_contain_text("abc")
    await chat.page.keyboard.press("Escape")
    await chat.until_done()
    await expect(chat.replies).to_contain_text("abc")
    # What is written in the user's place, too.
    await chat.box.fill("slow 3000")
    await chat.page.evaluate("document.getElementById('impersonate').click()")
    await expect(chat.box).to_have_value(re.compile("abc"))
    await expect(chat.page.locator("#box.is-filled-in .stop-button")).to_be_visible()
    await chat.page.keyboard.press("Escape")
    await expect(chat.page.locator("#box:not(.is-filled-in) .submit-button")).to_be_visible()
    await expect(chat.stop_button).to_have_count(0)
    await expect(chat.box).to_have_value(re.compile("abc"))
    await chat.box.fill("")


async def test_control_enter_regenerates_and_arrows_turn_versions(chat: ChatPage) -> None:
    await chat.say("echo: Once more")
    await chat.page.keyboard.press("Control+Enter")
    await expect(chat.versions).to_have_text("2/2")
    for key, shown in (("ArrowLeft", "1/2"), ("ArrowRight", "2/2"), ("ArrowRight", "3/3")):
        await chat.page.keyboard.press(f"Alt+{key}")
        await expect(chat.versions).to_have_text(shown)
    await chat.until_done()
    await chat.replies.click()
    for key, shown in (("ArrowLeft", "2/3"), ("ArrowRight", "3/3"), ("ArrowRight", "4/4")):
        await chat.page.keyboard.press(key)
        await expect(chat.versions).to_have_text(shown)


async def test_arrows_in_the_empty_box_and_on_the_users_message_ask_for_nothing(chat: ChatPage) -> None:
    await chat.say("echo: Only once")
    await expect(chat.box).to_be_focused()
    await chat.page.keyboard.press("ArrowRight")
    await chat.sent.click()
    await chat.page.keyboard.press("ArrowRight")
    await chat.page.locator("#mode label").first.focus()
    await chat.page.keyboard.press("ArrowRight")
    await chat.say("echo: Once again")
    await expect(chat.replies).to_have_text(["Only once", "Once again"])
    await expect(chat.versions).to_have_count(0)


async def test_arrows_in_text_move_in_the_text(chat: ChatPage) -> None:
    await chat.say("echo: Stay")
    await chat.page.keyboard.press("Control+Enter")
    await expect(chat.versions).to_have_text("2/2")
    await chat.until_done()
    await chat.box.fill("ab")
    await chat.page.keyboard.press("ArrowLeft")
    await chat.page.keyboard.type("-")
    await expect(chat.box).to_have_value("a-b")
    await expect(chat.versions).to_have_text("2/2")


async def test_alt_enter_continues(chat: ChatPage) -> None:
    await chat.say("echo: On")
    await chat.page.keyboard.press("Alt+Enter")
    await expect(chat.replies).to_have_text("OnOn")


async def test_control_shift_backspace_gives_the_message_back(chat: ChatPage) -> None:
    await chat.say("echo: Take it back")
    await chat.page.keyboard.press("Control+Shift+Backspace")
    await expect(chat.replies).to_have_count(0)
    await expect(chat.box).to_have_value("echo: Take it back")


async def test_control_s_shows_and_hides_the_controls(chat: ChatPage) -> None:
    mode = chat.page.get_by_role("radiogroup", name="Mode").or_(chat.page.locator("#mode"))
    await expect(mode.first).to_be_in_viewport()
    await chat.page.keyboard.press("Control+s")
    await expect(mode.first).not_to_be_in_viewport()
    await chat.page.keyboard.press("Control+s")
    await expect(mode.first).to_be_in_viewport()


async def test_alt_shift_m_writes_in_the_users_place(chat: ChatPage) -> None:
    await chat.say("echo: Hello")
    await expect(chat.box).to_have_value("")
    await chat.page.keyboard.press("Alt+Shift+M")
    await expect(chat.box).not_to_have_value("")


async def test_shift_enter_begins_a_new_line(chat: ChatPage) -> None:
    await chat.box.fill("one")
    await chat.box.press("Shift+Enter")
    await chat.page.keyboard.type("two")
    await expect(chat.box).to_have_value("one\ntwo")
    await expect(chat.sent).to_have_count(0)


async def test_sheet_lists_every_key_and_escape_closes_it(chat: ChatPage) -> None:
    page = chat.page
    await page.keyboard.press("Control+/")
    sheet = page.get_by_role("dialog", name="Keyboard shortcuts")
    labels = await page.evaluate("window.keyTable.all.map(each => each.label)")
    await expect(sheet.locator(".key-row > span:first-child")).to_have_text(labels)
    await page.keyboard.press("Escape")
    await expect(sheet).to_have_count(0)
    # Where something is written, it is a letter.
    await chat.box.fill("Really")
    await page.keyboard.type("?")
    await expect(chat.box).to_have_value("Really?")
    await page.locator("#scroller").click()
    await page.evaluate("document.activeElement.blur()")
    await page.keyboard.press("?")
    await expect(sheet).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(sheet).to_have_count(0)


async def test_keys_of_a_text_that_is_being_composed_are_not_taken(chat: ChatPage) -> None:
    await chat.say("echo: Once")
    await chat.box.focus()
    await chat.page.evaluate(
        """() => { for (const more of [{isComposing: true}, {keyCode: 229}]) document.activeElement.dispatchEvent(
          new KeyboardEvent('keydown', {key: 'Enter', ctrlKey: true, bubbles: true, cancelable: true, ...more})); }"""
    )
    await chat.say("echo: Twice")
    await expect(chat.versions).to_have_count(0)


async def test_buttons_name_their_keys_and_a_new_chat_begins_with_keys(chat: ChatPage) -> None:
    await chat.say("echo: Hello")
    await chat.page.locator("#new-chat").hover()
    await expect(chat.page.locator("#new-chat")).to_have_attribute("title", "New chat (Ctrl+Shift+O)")
    await chat.page.keyboard.press("Control+Shift+O")
    await expect(chat.chosen).to_have_count(0)
    await expect(chat.replies).to_have_count(0)
