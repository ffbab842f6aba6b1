"""Past chats at the side of the page: deleting with undo, searching, chats that are kept nowhere."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site, keep_earlier_chat
from tests.browser.visits import visiting

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_deleted_chat_comes_back(chat: ChatPage, scripted: Site) -> None:
    await chat.say("echo: Here today")
    files = scripted.chats()
    await chat.do("Delete")
    await expect(chat.replies).to_have_count(0)
    await expect(chat.chats.filter(has_text="echo: Here today")).to_have_count(0)
    await scripted.server.until(lambda: len(scripted.chats()) == len(files) - 1)
    await chat.undo()
    await expect(chat.replies).to_have_text("Here today")
    await expect(chat.chosen).to_contain_text("echo: Here today")
    await expect(chat.page.locator("#undo-delete")).to_be_hidden()
    await scripted.server.until(lambda: scripted.chats() == files)


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
    field = chat.page.locator("#chat-search input")
    await field.focus()
    await chat.page.keyboard.insert_text("lynx")
    await expect(chat.chats).to_have_count(1)
    await expect(chat.chats).to_contain_text("lynx")
    await field.press("Control+a")
    await field.press("Delete")
    await expect(chat.chats.filter(has_text="otter")).to_have_count(1)


async def test_incognito_chat_is_on_no_disk(chat: ChatPage, scripted: Site) -> None:
    await chat.page.click("#new-incognito")
    await expect(chat.page.locator("#temporary-note")).to_be_visible()
    await expect(chat.page.locator("#chat-title")).to_have_text("Temporary chat")
    await chat.say("echo: Unseen-7461")
    await chat.say("echo: Unseen-7462")
    await expect(chat.chats.filter(has_text="Unseen")).to_have_count(0)
    await chat.new()
    assert not [file for file in scripted.data.rglob("*") if file.is_file() and b"Unseen-746" in file.read_bytes()]
    await expect(chat.page.locator("#temporary-note")).to_be_hidden()
    await chat.arrive()
    await expect(chat.page.get_by_text("Unseen-7461")).to_have_count(0)


async def test_chats_are_opened_from_the_list(chat: ChatPage) -> None:
    await chat.say("echo: First of two")
    await chat.new()
    await chat.say("echo: Second of two")
    await chat.open("First of two")
    await expect(chat.replies).to_have_text("First of two")
    await chat.open("Second of two")
    await expect(chat.replies).to_have_text("Second of two")


async def test_chats_leave_as_files_and_come_back(chat: ChatPage, tmp_path: Path) -> None:
    await chat.say("echo: Words to take along")
    for kind, ending in (("Markdown (.md)", ".md"), ("JSON (.json)", ".json")):
        async with chat.page.expect_download() as leaving:
            await chat.do("Export", kind)
        file = await leaving.value
        assert Path(file.suggested_filename).suffix == ending
        assert "Words to take along" in (await file.path()).read_text("utf-8")
    more = chat.page.get_by_role("button", name="More for chats")
    await more.click()
    async with chat.page.expect_download() as leaving:
        await chat.page.get_by_role("menuitem", name="Export all chats").click()
    await (await leaving.value).save_as(tmp_path / "chats.zip")
    mine = chat.chats.filter(has_text="Words to take along")
    await chat.do("Delete")
    await expect(mine).to_have_count(0)
    await more.click()
    async with chat.page.expect_file_chooser() as choosing:
        await chat.page.get_by_role("menuitem", name="Import chats").click()
    await (await choosing.value).set_files(tmp_path / "chats.zip")
    await mine.first.click()
    await expect(chat.replies).to_have_text("Words to take along")


async def test_chat_is_renamed_where_its_name_stands(chat: ChatPage) -> None:
    await chat.say("echo: A name to be")
    name, keyboard = chat.page.locator(".chat-name"), chat.page.keyboard
    await chat.do("Rename")
    await expect(name).to_be_focused()
    await expect(name).to_have_value("echo: A name to be")
    await keyboard.type("Given up")
    await keyboard.press("Escape")
    await expect(name).to_have_count(0)
    await expect(chat.chosen).to_have_text("echo: A name to be")
    await expect(chat.chosen).to_be_focused()
    for title in ("Marmots", "Is it 1/2 or 2/1?"):
        await chat.chosen.press("F2")
        await expect(name).to_be_focused()
        await keyboard.type(title)
        await keyboard.press("Enter")
        await expect(name).to_have_count(0)
        await expect(chat.chosen).to_have_text(title)
        await expect(chat.page.locator("#chat-title")).to_have_text(title)
    await chat.page.click("#chat-title .title-name")
    await expect(name).to_be_focused()
    await keyboard.type("From the header")
    # What was typed is kept, whatever is done next.
    await chat.box.click()
    await expect(chat.chosen).to_have_text("From the header")
    await expect(chat.page).to_have_title("From the header")
    await expect(name).to_have_count(0)
    await expect(chat.replies).to_have_text("A name to be")


async def test_new_chat_is_listed_in_every_tab_while_its_reply_is_written(chat: ChatPage) -> None:
    other = ChatPage(await chat.page.context.new_page())
    await other.arrive()
    await chat.write("slow 3000")
    await expect(chat.live.last).to_contain_text("abc")
    for tab in (chat, other):
        row = tab.chats.filter(has_text="slow 3000")
        await expect(row.locator(".chat-dot.writing")).to_be_visible()
        await expect(row.locator(".chat-dot.writing")).to_have_css("border-top-width", "2px")
    await expect(chat.chosen).to_have_text("slow 3000")
    await expect(chat.page).to_have_title("● slow 3000")
    await chat.new()
    await other.open("slow 3000")
    await expect(other.live.last).to_contain_text("abc")
    await other.stop_button.click()
    await other.until_done()
    await expect(chat.chats.filter(has_text="slow 3000").locator(".chat-dot")).to_have_count(0)
    await other.do("Delete")
    await expect(chat.chats.filter(has_text="slow 3000")).to_have_count(0)
    await other.page.close()


async def test_list_is_one_stop_of_the_tabulator(chat: ChatPage) -> None:
    page = chat.page
    await chat.say("echo: The last row")
    await page.locator("#chat-search input").focus()
    await page.keyboard.press("Tab")
    await expect(chat.chosen).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("End")
    await expect(chat.chats.last).to_be_focused()
    await page.keyboard.press("Home")
    await expect(page.locator(".chat-group").first).to_be_focused()
    await page.keyboard.press("ArrowLeft")
    await expect(chat.chosen).to_be_hidden()
    await page.keyboard.press("ArrowRight")
    await expect(chat.chosen).to_be_visible()
    await page.keyboard.press("ArrowDown")
    await expect(chat.chats.first).to_be_focused()
    await page.keyboard.press("Tab")
    assert not await page.evaluate("document.activeElement.closest('#past-chats')")
    await chat.chosen.press("Delete")
    await expect(chat.chats.filter(has_text="The last row")).to_have_count(0)


async def test_chats_are_put_in_order(chat: ChatPage) -> None:
    page = chat.page
    heading = page.locator(".chat-heading")
    await chat.say("echo: Bread at nine")
    await chat.do("Pin")
    await expect(heading.first).to_have_text("Pinned")
    await expect(page.locator(".chat-item").first).to_have_text(re.compile("Bread at nine"))
    await chat.do("Unpin")
    await expect(heading.filter(has_text="Pinned")).to_have_count(0)
    await chat.do("Move to folder", "New folder…")
    await page.get_by_role("dialog").get_by_role("textbox").fill("Kitchen")
    await page.keyboard.press("Enter")
    kitchen = heading.filter(has_text="Kitchen")
    await expect(kitchen).to_be_visible()
    await expect(page.locator(".chat-item.in-folder")).to_have_text(re.compile("Bread at nine"))
    await chat.do("Tags…")
    await page.get_by_role("dialog").get_by_role("textbox").fill("sour, dough")
    await page.keyboard.press("Enter")
    await page.locator(".chat-tag").filter(has_text="#dough").click()
    await expect(chat.chats).to_have_text(["echo: Bread at nine"])
    await page.click(".clear-search")
    await expect(chat.chats.nth(1)).to_be_visible()
    # Out of the folder again, by pointer.
    await chat.chosen.drag_to(heading.filter(has_not_text="Kitchen").last)
    await expect(page.locator(".chat-item.in-folder")).to_have_count(0)
    await kitchen.click(button="right")
    await page.get_by_role("menu").get_by_text("Delete folder").click()
    await expect(kitchen).to_have_count(0)
    await chat.page.reload()
    await expect(chat.chosen).to_have_text("echo: Bread at nine")
    await expect(page.locator(".chat-tag")).to_have_text(["#sour", "#dough"])


async def test_search_shows_the_passage_and_says_when_there_is_none(chat: ChatPage) -> None:
    await chat.say("echo: A long way from the title stands the word chinchilla among many")
    await chat.new()
    await chat.search("chinch")
    await expect(chat.chats).to_have_count(1)
    await expect(chat.page.locator(".chat-passage mark").first).to_have_text("chinchilla")
    await expect(chat.page.locator(".chat-heading")).to_have_text(["Today"])
    await chat.search("no-such-word-anywhere")
    await expect(chat.page.locator(".chat-note")).to_have_text("Nothing found for “no-such-word-anywhere”.")
    await chat.page.locator("#chat-search input").press("Escape")
    await expect(chat.chats.nth(1)).to_be_visible()


async def test_back_and_forward_lead_from_chat_to_chat(chat: ChatPage) -> None:
    page, scroller = chat.page, chat.page.locator("#scroller")
    long = "\n\n".join(f"word{number}" for number in range(60))
    await chat.say(f"echo: {long}")
    await expect(page).to_have_url(re.compile(r"\?chat=\d{8}-"))
    first = page.url
    await scroller.evaluate("each => { each.scrollTop = 600; }")
    await page.wait_for_function("history.state?.reading")
    await chat.new()
    await expect(page).not_to_have_url(re.compile("chat="))
    await chat.say("echo: Another address")
    await expect(page).to_have_url(re.compile(r"\?chat=\d{8}-"))
    assert page.url != first
    await page.go_back()
    await expect(chat.replies).to_contain_text("word59")
    await expect(page).to_have_url(first)
    await page.wait_for_function("Math.abs(document.getElementById('scroller').scrollTop - 600) < 50")
    await page.reload()
    await expect(chat.replies).to_contain_text("word59")
    await page.wait_for_function("Math.abs(document.getElementById('scroller').scrollTop - 600) < 50")
    await page.go_forward()
    await expect(chat.replies).to_have_text("Another address")
    other = ChatPage(await page.context.new_page())
    await other.page.goto(first)
    await expect(other.replies).to_contain_text("word59")
    await other.page.goto("/?q=Words of a link&model=nowhere&preset=Deterministic")
    await expect(other.box).to_have_value("Words of a link")
    note = other.page.locator("#link-note")
    await expect(note).to_contain_text("no model “nowhere”")
    await expect(note.get_by_role("button")).to_have_text(["Use the preset Deterministic", "✕"])
    await expect(other.sent).to_have_count(0)
    await other.page.goto("/?chat=20000101-00-00-00")
    await expect(other.notices).to_contain_text("no such chat")
    await expect(other.page.locator("#chat .message-row")).to_have_count(0)
    await other.page.close()


async def test_mode_that_has_the_same_chats_changes_nothing_else(chat: ChatPage) -> None:
    await chat.speak_with("Example")
    await expect(chat.replies.first).to_contain_text("I'm Chiharu.")
    await chat.page.click("#new-chat")
    await expect(chat.replies).to_have_count(1)
    await chat.say("echo: Still here")
    await chat.page.get_by_label("Character via instruct template").check()
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


async def test_all_chats_are_deleted_once_their_number_is_confirmed(chat: ChatPage, scripted: Site) -> None:
    await chat.say("echo: Before all is gone")
    dialog = chat.page.get_by_role("dialog")
    for answer in ("Cancel", "Delete"):
        await chat.page.get_by_role("button", name="More for chats").click()
        await chat.page.get_by_role("menuitem", name="Delete all chats").click()
        await expect(dialog).to_contain_text(re.compile(r"Delete all \d+ chats\?"))
        assert scripted.chats()
        await dialog.get_by_role("button", name=answer).last.click()
        await expect(dialog).to_have_count(0)
    await expect(chat.chats).to_have_count(0)
    await expect(chat.replies).to_have_count(0)
    await scripted.server.until(lambda: not scripted.chats())
    # The file of another day, with which sites begin, may be waited for by the next one.
    keep_earlier_chat(scripted.data)
    await chat.say("echo: And on it goes")
    await expect(chat.chosen).to_contain_text("And on it goes")
