"""A first visit with a real model, and all that can become of a conversation."""

import re
import shutil

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site, keep_earlier_chat
from tests.browser.visits import visiting, watched

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]

_NO_LONG_TIMERS = """{ const set = window.setTimeout.bind(window);
  window.setTimeout = (act, ms, ...more) => (ms > 10_000 ? 0 : set(act, ms, ...more)); }"""


async def test_conversation_from_the_first_visit_to_the_next(browser: Browser, real: Site) -> None:
    shutil.rmtree(real.data / "logs", ignore_errors=True)
    async with watched(browser, real.url) as (context, _):
        # There is no chat that could be waited for: the page shows itself before it would give up waiting.
        await context.add_init_script(_NO_LONG_TIMERS)
        page = await context.new_page()
        await page.goto("/")
        chat = ChatPage(page)
        await expect(page.get_by_text("What shall we talk about?")).to_be_visible()

        await chat.write("Tell me a long story about a lighthouse.")
        begun = await chat.growing()
        await chat.stop_button.click()
        await chat.until_done()
        stopped = await chat.replies.inner_text()
        assert stopped.startswith(begun[:20])

        await chat.button("Regenerate").last.click()
        await chat.growing()
        await chat.stop_button.click()
        await expect(chat.versions).to_have_text("2/2")
        await chat.button("Previous version").click()
        await expect(chat.versions).to_have_text("1/2")
        await expect(chat.replies).to_have_text(stopped)

        await chat.button("Edit").last.click()
        await page.locator("#chat textarea").fill("The light went out.")
        await page.locator("#chat").get_by_role("button", name=re.compile("submit|save", re.IGNORECASE)).click()
        await expect(chat.replies).to_have_text("The light went out.")
        await expect(chat.versions).to_have_text("3/3")

        await chat.button("Branch here").last.click()
        await expect(chat.chats).to_have_count(2)

        await chat.do("Rename")
        await page.fill("#past-chats .chat-name", "Lighthouse, darker")
        await page.keyboard.press("Enter")
        await expect(chat.chosen).to_have_text("Lighthouse, darker")

        await page.reload()
        await expect(chat.chosen).to_have_text("Lighthouse, darker")
        await expect(chat.replies).to_have_text("The light went out.")
        await expect(chat.versions).to_have_text("3/3")
        await expect(chat.chats).to_have_count(2)


@pytest.mark.extended
async def test_chat_with_a_character(browser: Browser, real: Site) -> None:
    keep_earlier_chat(real.data)
    async with visiting(browser, real.url) as page:
        chat = ChatPage(page)
        await expect(chat.chosen).to_have_count(1)
        await chat.speak_with("Example")
        await expect(chat.replies).to_contain_text("I'm Chiharu.")
        await chat.say("Hello! What do you do?")
        await expect(chat.replies).to_have_count(2)
        assert len(real.chats("chat")) == 1
        await page.reload()
        await expect(chat.replies).to_have_count(2)
        await expect(chat.replies.first).to_contain_text("I'm Chiharu.")
        await chat.speak_with_nobody()


async def test_a_starter_is_put_into_the_box_and_can_be_changed(chat: ChatPage) -> None:
    await chat.page.get_by_text("Make a plan").click()
    await expect(chat.box).to_have_value(re.compile("^Help me plan"))
    await expect(chat.box).to_be_focused()
    await expect(chat.sent).to_have_count(0)
    await chat.say("echo: mine")
    await expect(chat.sent).to_have_text(["echo: mine"])
    await expect(chat.page.get_by_text("Make a plan")).to_have_count(0)
