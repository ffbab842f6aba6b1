"""Past chats at the side of the page: deleting with undo, searching, chats that are kept nowhere."""

import shutil

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site
from tests.browser.visits import visiting

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_deleted_chat_comes_back(chat: ChatPage, scripted: Site) -> None:
    await chat.say("echo: Here today")
    files = scripted.chats()
    await chat.page.click("#delete-chat")
    await expect(chat.replies).to_have_count(0)
    await expect(chat.chats.filter(has_text="echo: Here today")).to_have_count(0)
    assert len(scripted.chats()) == len(files) - 1
    await chat.page.click("#undo-delete")
    await expect(chat.replies).to_have_text("Here today")
    await expect(chat.chosen).to_contain_text("echo: Here today")
    await expect(chat.page.locator("#undo-delete")).to_be_hidden()
    assert scripted.chats() == files


async def test_search_finds_words_of_replies(chat: ChatPage) -> None:
    await chat.say("echo: The badger sleeps")
    await chat.new()
    await chat.say("echo: The heron fishes")
    await chat.search("badger")
    await expect(chat.chats).to_have_count(1)
    await chat.chats.click()
    await expect(chat.replies).to_have_text("The badger sleeps")
    await chat.search("")
    await expect(chat.chats.filter(has_text="heron")).to_have_count(1)


async def test_search_hears_what_is_pasted_and_deleted(chat: ChatPage) -> None:
    await chat.say("echo: The lynx listens")
    await chat.new()
    await chat.say("echo: The otter swims")
    field = chat.page.locator("#chat-search textarea, #chat-search input")
    await field.focus()
    await chat.page.keyboard.insert_text("lynx")
    await expect(chat.chats).to_have_count(1)
    await expect(chat.chats).to_contain_text("lynx")
    await field.press("Control+a")
    await field.press("Delete")
    await expect(chat.chats.filter(has_text="otter")).to_have_count(1)


async def test_incognito_chat_is_on_no_disk(chat: ChatPage, scripted: Site) -> None:
    await chat.page.click("#new-incognito")
    await expect(chat.notices).to_contain_text("not saved")
    await chat.say("echo: Unseen-7461")
    await chat.say("echo: Unseen-7462")
    await expect(chat.chats.filter(has_text="Unseen")).to_have_count(0)
    await chat.new()
    assert not [file for file in scripted.data.rglob("*") if file.is_file() and b"Unseen-746" in file.read_bytes()]
    await chat.page.reload()
    await expect(chat.chosen).to_have_count(1)
    await expect(chat.page.get_by_text("Unseen-7461")).to_have_count(0)


async def test_chats_are_opened_from_the_list(chat: ChatPage) -> None:
    await chat.say("echo: First of two")
    await chat.new()
    await chat.say("echo: Second of two")
    await chat.open("First of two")
    await expect(chat.replies).to_have_text("First of two")
    await chat.open("Second of two")
    await expect(chat.replies).to_have_text("Second of two")


async def test_chat_is_renamed_where_its_name_stands(chat: ChatPage) -> None:
    await chat.say("echo: A name to be")
    name, keyboard = chat.page.locator("#past-chats").get_by_role("textbox"), chat.page.keyboard
    await chat.page.click("#rename-chat")
    await expect(chat.chosen.get_by_role("textbox")).to_be_focused()
    await expect(name).to_have_value("echo: A name to be")
    await keyboard.type("Given up")
    await keyboard.press("Escape")
    await expect(name).to_have_count(0)
    await expect(chat.chosen).to_have_text("echo: A name to be")
    await chat.chosen.dblclick()
    await expect(name).to_be_focused()
    await keyboard.type("Marmots")
    await keyboard.press("Enter")
    await expect(chat.chosen).to_have_text("Marmots")
    await expect(name).to_have_count(0)
    await expect(chat.replies).to_have_text("A name to be")


@pytest.mark.parametrize("other", ["#new-chat", "#chat-search textarea", "#delete-chat", "#box textarea"])
async def test_renaming_ends_when_something_else_is_done(chat: ChatPage, other: str) -> None:
    await chat.say("echo: Left alone")
    name = chat.page.locator("#chat-list").get_by_role("textbox").and_(chat.page.locator(":not(#chat-search *)"))
    await chat.page.click("#rename-chat")
    await expect(name).to_be_focused()
    await chat.page.keyboard.type("Half a na")
    await chat.page.click(other)
    await expect(name).to_have_count(0)


async def test_new_chat_without_a_message_has_no_name(chat: ChatPage) -> None:
    await chat.page.click("#rename-chat")
    await expect(chat.notices).to_contain_text("not saved")
    await expect(chat.page.locator("#chat-list").get_by_role("textbox")).to_have_count(1)


async def test_mode_that_has_the_same_chats_changes_nothing_else(chat: ChatPage) -> None:
    await chat.speak_with("Example")
    await expect(chat.replies.first).to_contain_text("I'm Chiharu.")
    await chat.page.click("#new-chat")
    await expect(chat.replies).to_have_count(1)
    await chat.say("echo: Still here")
    await chat.page.get_by_label("Chat-instruct").check()
    await chat.choose("#character", "Example")
    await chat.say("echo: And here")
    await expect(chat.replies).to_have_count(3)
    await chat.speak_with_nobody()


async def test_character_is_chosen_while_a_chat_of_another_is_open(browser: Browser, scripted: Site) -> None:
    """What the list holds of the other's chats is sent along with the choice."""
    shutil.copy(scripted.data / "characters" / "Example.yaml", scripted.data / "characters" / "Old Tom.yaml")
    async with visiting(browser, scripted.url) as page:
        chat = ChatPage(page)
        await expect(chat.chosen).to_have_count(1)
        await chat.speak_with("Example")
        await chat.say("echo: Ahoy")
    async with visiting(browser, scripted.url) as page:
        chat = ChatPage(page)
        await expect(chat.sent.last).to_have_text("echo: Ahoy")
        await chat.choose("#character", "Old Tom")
        await expect(chat.replies).to_have_count(1)
        await expect(chat.notices).to_have_count(0)
        await chat.speak_with_nobody()
