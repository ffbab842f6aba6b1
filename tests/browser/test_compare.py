"""Two versions of a reply beside each other: regenerating both at once, and choosing one."""

import re
from typing import Final

import pytest
from playwright.async_api import Locator, expect

from tests.browser.chat_page import ChatPage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
MOST_CLICKS: Final = 3


def side(chat: ChatPage, name: str) -> Locator:
    return chat.page.locator(f"#compare-{name}")


def words(chat: ChatPage, name: str) -> Locator:
    return side(chat, name).locator("[data-testid=bot]")


async def regenerate(chat: ChatPage, name: str, choice: str) -> None:
    """Two clicks: the menu, and what is in it."""
    await side(chat, name).get_by_role("button", name="Regenerate with").click()
    await chat.page.get_by_role("menuitem", name=choice).click()


async def test_two_versions_are_written_at_once_and_one_is_chosen(chat: ChatPage) -> None:
    await chat.write("stall")
    await expect(chat.live).to_have_text("waiting")
    await chat.stop_button.click()
    await chat.until_done()
    await chat.page.locator("#open-compare").click()
    await expect(words(chat, "left")).to_have_text("waiting")
    await expect(words(chat, "right")).to_have_count(0)
    await regenerate(chat, "left", "Deterministic")
    # The left one says what it said before: only this tells that it is under way.
    await expect(chat.page.locator("#compare-stop")).to_be_visible()
    await regenerate(chat, "right", "The same settings")
    # Neither ends by itself, so both are under way at the same time.
    await expect(words(chat, "right")).to_have_text("waiting")
    await expect(words(chat, "left")).to_have_text("waiting")
    await expect(side(chat, "right").get_by_role("button", name="Use this")).to_be_disabled()
    await chat.page.locator("#compare-stop").click()
    await expect(chat.page.locator("#compare-stop")).to_be_hidden()
    await expect(side(chat, "left").locator("input").first).to_have_value(
        re.compile("Version 2 .*preset Deterministic")
    )
    await side(chat, "right").get_by_role("button", name="Use this").click()
    await expect(chat.page.locator("#compare")).to_have_count(0)
    await expect(chat.versions).to_have_text("3/3")


async def test_another_answer_takes_three_clicks(chat: ChatPage) -> None:
    await chat.say("echo: one")
    await chat.button("Compare").click()
    await regenerate(chat, "right", "Deterministic")
    await expect(words(chat, "right")).to_have_text("one")
    await chat.page.keyboard.press("Escape")
    await expect(chat.page.locator("#compare")).to_have_count(0)
    await expect(chat.versions).to_have_text("1/2")


async def test_a_version_that_fails_says_so_in_its_place(chat: ChatPage) -> None:
    await chat.say("echo: one")
    await chat.page.locator("#open-compare").click()
    await regenerate(chat, "right", "The same settings")
    await expect(words(chat, "right")).to_have_text("one")
