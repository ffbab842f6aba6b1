"""Probabilities in the chat: words are tinted, and another word can be taken in the place of each."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, expect

from tests.browser.chat_page import ChatPage
from tests.browser.contrast import measured
from tests.browser.sites import Site
from tests.browser.visits import visiting

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def tokens(chat: ChatPage) -> Locator:
    return chat.page.locator("#chat .token")


def popover(chat: ChatPage) -> Locator:
    return chat.page.locator("#token-popover")


async def switch(chat: ChatPage, *, on: bool) -> None:
    """The user's own switch."""
    await chat.page.get_by_role("tab", name="Info", exact=True).click()
    await chat.page.get_by_role("checkbox", name="Probabilities").set_checked(on)


@pytest_asyncio.fixture(loop_scope="session")
async def scored(chat: ChatPage) -> AsyncIterator[ChatPage]:
    """Replies come with probabilities."""
    await switch(chat, on=True)
    yield chat
    await switch(chat, on=False)


async def test_words_show_how_likely_they_were_and_can_be_replaced(scored: ChatPage) -> None:
    chat = scored
    await chat.say("echo: Good `day`")
    # The scripted model's tokens are bytes.
    await expect(tokens(chat)).to_have_count(len("Good `day`"))
    await expect(tokens(chat).first).to_have_attribute("aria-label", "G, 88 %")
    assert "Good `day`" in await chat.replies.inner_text()
    await tokens(chat).nth(5).hover()
    await expect(popover(chat)).to_be_visible()
    await expect(popover(chat).locator(".candidate")).to_have_count(5)
    await tokens(chat).nth(5).click()
    await popover(chat).get_by_role("button", name="Take").nth(2).click()
    # As many versions as there are beginnings.
    await expect(chat.versions).to_have_text("2/2")
    assert (await chat.replies.inner_text()).startswith("Good ")
    await chat.until_done()
    await chat.page.reload()
    await expect(tokens(chat).first).to_be_visible()
    await chat.button("Previous version").click()
    await expect(chat.versions).to_have_text("1/2")
    await expect(tokens(chat)).to_have_count(len("Good `day`"))


async def test_keys_reach_every_word_and_its_alternatives(scored: ChatPage) -> None:
    chat = scored
    await chat.say("echo: abc")
    await expect(tokens(chat)).to_have_count(3)
    await tokens(chat).first.focus()
    await chat.page.keyboard.press("End")
    await chat.page.keyboard.press("ArrowLeft")
    await expect(tokens(chat).nth(1)).to_be_focused()
    await expect(popover(chat)).to_be_visible()
    await chat.page.keyboard.press("Escape")
    await expect(popover(chat)).to_be_hidden()
    await chat.page.keyboard.press("Enter")
    await expect(popover(chat).get_by_role("button").nth(1)).to_be_focused()
    await chat.page.keyboard.press("ArrowDown")
    await chat.page.keyboard.press("Enter")
    await expect(chat.versions).to_have_text("2/2")
    await chat.until_done()


async def test_another_word_of_an_earlier_reply_begins_a_branch(scored: ChatPage) -> None:
    chat = scored
    for word in ("one", "two"):
        await chat.say(f"echo: {word}")
    await expect(chat.chosen).to_have_count(1)
    before = await chat.chats.count()
    await expect(tokens(chat)).to_have_count(6)
    await tokens(chat).nth(2).click()
    await popover(chat).get_by_role("button", name="Take").first.click()
    await expect(chat.sent).to_have_count(1)
    await chat.until_done()
    await expect(chat.chats).to_have_count(before + 1)
    await expect(chat.versions).to_have_text("2/2")
    assert (await chat.replies.inner_text()).startswith("on")


async def test_without_the_switch_replies_stay_as_they_are(chat: ChatPage) -> None:
    await chat.say("echo: Good `day`")
    await expect(chat.replies.locator("code")).to_have_text("day")
    await expect(tokens(chat)).to_have_count(0)


async def test_tints_keep_the_contrast_in_both_looks(browser: Browser, scripted: Site) -> None:
    async with visiting(browser, scripted.url) as page:
        chat = ChatPage(page)
        await chat.until_open()
        # Words of every tint, whatever the model is.
        await page.evaluate(
            """() => { const view = document.createElement('div'); view.className = 'token-text'; view.id = 'tints';
              view.innerHTML = [0, 1, 2, 3, 4].map(each => `<span class="token t${each}">word</span>`).join(' ');
              document.querySelector('#scroller').prepend(view); }"""
        )
        for look in ("light", "dark"):
            await page.evaluate("look => window.wearLook(look)", look)
            words = [each for each in await measured(page) if each["where"].startswith("#tints")]
            assert len(words) == 5
            assert min(each["ratio"] for each in words) >= 4.5
