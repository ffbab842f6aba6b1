"""Code in replies: its language, and what can be done with it."""

from typing import Final

import pytest
from playwright.async_api import expect

from tests.browser.chat_page import ChatPage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_LINES: Final = "\n".join(f"print({number})" for number in range(80))


async def test_code_has_its_language_and_its_buttons(chat: ChatPage) -> None:
    await chat.say(f"echo: - one\n- two\n\n```python\n{_LINES}\n```")
    block = chat.page.locator("#chat .bot-row .code_wrap")
    await expect(block.locator(".code-language")).to_have_text("python")
    for name in ("Wrap", "Download", "Copy code"):
        await expect(block.get_by_role("button", name=name)).to_be_visible()
    more = block.get_by_role("button", name="Show all 80 lines")
    await expect(more).to_be_visible()
    folded = await block.evaluate("block => block.offsetHeight")
    await more.click()
    is_higher = "folded => document.querySelector('#chat .bot-row .code_wrap').offsetHeight > folded"
    await chat.page.wait_for_function(is_higher, arg=folded)
    async with chat.page.expect_download() as saved:
        await block.get_by_role("button", name="Download").click()
    assert (await saved.value).suggested_filename == "code.py"
    assert await chat.replies.locator("ul").evaluate("list => getComputedStyle(list).listStyleType") == "disc"
