"""Talking with a character: its greeting opens the chat, its replies are its own, its picture stands beside them."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site
from tests.browser.visits import visiting

pytestmark = [pytest.mark.browser, pytest.mark.model, pytest.mark.asyncio(loop_scope="session")]

HOSTILE = """name: '<img src=x onerror="window.ran = 1">'
greeting: 'Hello <svg/onload=window.ran=1> </script><script>window.ran=1</script> [x](javascript:window.ran=1)'
context: "Somebody who means no good."
"""


@pytest_asyncio.fixture(loop_scope="session")
async def talking(browser: Browser, real: Site) -> AsyncIterator[ChatPage]:
    """The mode in which characters speak."""
    async with visiting(browser, real.url) as page:
        chat = ChatPage(page)
        await page.get_by_label("Chat with a character").check()
        await expect(page.get_by_role("listbox", name="Character").or_(page.locator("#character input"))).to_be_visible()
        yield chat
        await page.get_by_label("Instruct", exact=True).check()
        await expect(page.locator("#character")).to_be_hidden()
        await chat.new()
        await chat.say("Hi")


async def test_character_greets_and_replies(talking: ChatPage) -> None:
    await talking.choose("#character", "Example")
    await expect(talking.replies.first).to_contain_text("Chiharu")
    await talking.say("Hello! What do you do?")
    await expect(talking.replies).to_have_count(2)
    await talking.page.reload()
    await expect(talking.replies).to_have_count(2)


async def test_no_script_of_a_card_runs(talking: ChatPage, real: Site) -> None:
    (real.data / "characters" / "Mallory.yaml").write_text(HOSTILE, encoding="utf-8")
    await talking.page.reload()
    await talking.choose("#character", "Mallory")
    await expect(talking.replies.first).to_contain_text("<svg/onload=window.ran=1>")
    await talking.choose("#character", "Example")
    assert await talking.page.evaluate("window.ran") is None
