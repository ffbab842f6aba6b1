"""Tools that a reply calls: asked for, allowed or refused, and shown with what they answered."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.chat_page import ChatPage
from tests.settling import settles

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CALL = 'echo: <tool_call>\n{"name": "word_count", "arguments": {"text": "one two three"}}\n</tool_call>'


@pytest_asyncio.fixture(loop_scope="session")
async def asking(chat: ChatPage) -> AsyncIterator[ChatPage]:
    """A chat whose model may count words, if it is allowed to each time."""
    await chat.inspect("Tools")
    tool, ask = (
        chat.page.locator("#tools input[name=word_count]"),
        chat.page.locator("#inspector").get_by_label("Ask before running tools"),
    )
    await tool.check()
    await ask.check()
    yield chat
    await tool.uncheck()
    await ask.uncheck()
    await chat.new()
    await chat.say("echo: Tools are put away")
    await chat.inspect("Chat")


async def test_allowed_call_is_made(asking: ChatPage) -> None:
    await asking.write(CALL)
    await expect(asking.page.locator("#live")).to_contain_text("Allow word_count?")
    button = asking.page.locator("#live").get_by_role("button", name="Approve", exact=True)
    at_first = await button.bounding_box()
    unfolding = asking.page.locator("#live .thought-group > .content")
    await unfolding.evaluate("(content) => Promise.all(content.getAnimations().map((each) => each.finished))")
    later = await button.bounding_box()
    assert at_first is not None
    assert later is not None
    assert abs(later["y"] - at_first["y"]) < 10, "the button moved from under the finger"
    await button.click()
    await asking.until_done()
    await expect(asking.replies.last).to_contain_text('"words": 3')
    await expect(asking.page.locator("#chat")).to_contain_text("word_count")


async def test_refused_call_is_not_made(asking: ChatPage) -> None:
    await asking.write(CALL)
    await asking.page.locator("#live").get_by_role("button", name="Reject", exact=True).click()
    await asking.until_done()
    await expect(asking.replies.last).not_to_contain_text('"words"')


async def test_reply_that_waits_for_approval_can_be_stopped(asking: ChatPage) -> None:
    await asking.write(CALL)
    await expect(asking.page.locator("#live")).to_contain_text("Allow word_count?")
    await asking.stop_button.click()
    await expect(asking.page.locator("#live .message-row")).to_have_count(0)


async def test_picture_that_the_model_makes_is_shown(chat: ChatPage) -> None:
    await chat.inspect("Tools")
    await chat.page.locator("#tools input[name=generate_image]").check()
    call = 'echo: <tool_call>\n{"name": "generate_image", "arguments": {"prompt": "a red tree", "size": "128x128"}}\n</tool_call>'
    await chat.write(call)
    await chat.until_done()
    picture = chat.page.locator("#chat img[alt='The picture that was made']")
    await expect(picture).to_be_visible()
    await settles(lambda: picture.evaluate("(image) => image.naturalWidth"), 128)
    await chat.page.locator("#tools input[name=generate_image]").uncheck()
    await chat.inspect("Chat")


async def test_asking_first_is_one_switch_in_two_places(chat: ChatPage) -> None:
    here = chat.page.locator("#inspector").get_by_label("Ask before running tools")
    there = chat.page.locator("#ask-before-tools input")
    counts = chat.page.get_by_label("Permission of word_count")
    await chat.inspect("Tools")
    await chat.go_to("Tools & MCP")
    await there.check()
    await expect(counts).to_have_value("ask")
    await chat.go_to("Chat")
    await expect(here).to_be_checked()
    await here.uncheck()
    await chat.go_to("Tools & MCP")
    await expect(there).not_to_be_checked()
    await expect(counts).to_have_value("always")
    await chat.go_to("Chat")
    await chat.inspect("Chat")
