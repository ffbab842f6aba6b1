"""A page that is closed or loaded again in the middle of a reply finds it again, and it goes on."""

from string import ascii_lowercase

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site
from tests.browser.visits import visiting

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

# Six letters of 20 ms each would be over before anybody looked.
LONG = "slow 3000"


async def test_reply_goes_on_while_the_page_is_loaded_again(chat: ChatPage) -> None:
    await chat.write(LONG)
    await expect(chat.live.last).to_contain_text("abcdefghij")
    before = len(await chat.live.last.inner_text())
    await chat.page.reload()
    await chat.page.wait_for_function(
        "length => (document.querySelector('#live [data-testid=bot]')?.innerText.length ?? 0) > length", arg=before
    )
    await chat.stop_button.click()
    await chat.until_done()
    assert len(await chat.replies.last.inner_text()) > before


async def test_reply_goes_on_while_nobody_looks(browser: Browser, scripted: Site) -> None:
    async with visiting(browser, scripted.url) as page:
        chat = ChatPage(page)
        await chat.until_open()
        await chat.new()
        # It goes on for four seconds, so that its beginning is seen.
        await chat.write("slow 200")
        await expect(chat.live.last).to_contain_text("abc")
    async with visiting(browser, scripted.url) as page:
        await expect(ChatPage(page).replies.last).to_contain_text((ascii_lowercase * 8)[:200])
