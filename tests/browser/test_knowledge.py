"""Documents in a chat: a long PDF that is asked about, collections named in a message, citations; tools that fail."""

import json
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import Site
from tests.chat.attachment_files import pdf

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_pdf_that_does_not_fit_is_asked_about(chat: ChatPage, tmp_path: Path) -> None:
    pages = [f"Chapter {number} tells of {'sheep ' * 200}" for number in range(1, 30)]
    pages[20] = "The password of the tower is swordfish"
    (tmp_path / "book.pdf").write_bytes(pdf(*pages))
    await chat.page.locator("#box input[type=file]").set_input_files(tmp_path / "book.pdf")
    await expect(chat.page.locator("#box .thumbnail-item")).to_have_count(1)
    # The scripted model repeats what it was given.
    await chat.say("What is the password of the tower?")
    await expect(chat.sent).to_contain_text("too long for the context")
    await expect(chat.replies).to_contain_text("swordfish")
    await chat.page.locator('#chat .user-row a[href*="#cite-"]').click()
    passage = chat.page.locator("dialog.passage")
    await expect(passage).to_contain_text("book.pdf, page 21")
    await expect(passage).to_contain_text("swordfish")
    await chat.page.keyboard.press("Escape")
    await expect(passage).to_have_count(0)


async def test_a_collection_is_named_in_a_message_and_cited(chat: ChatPage, scripted: Site) -> None:
    folder = scripted.data / "knowledge" / "tower"
    folder.mkdir(parents=True)
    (folder / "clock.md").write_text("# Clock\n\nThe pendulum is two metres long.", encoding="utf-8")
    await chat.box.press_sequentially("#to")
    await expect(chat.page.get_by_role("option", name="#tower")).to_be_visible()
    await chat.page.keyboard.press("Tab")
    await expect(chat.box).to_have_value("#tower ")
    await chat.box.press_sequentially("How long is the pendulum?")
    await chat.box.press("Enter")
    await chat.until_done()
    await chat.page.locator('#chat .bot-row a[href*="#cite-1"]').last.click()
    passage = chat.page.locator("dialog.passage")
    await expect(passage).to_contain_text("tower/clock.md")
    await expect(passage).to_contain_text("two metres long")
    await chat.page.keyboard.press("Escape")
    await chat.page.reload()
    await expect(chat.page.locator('#chat .bot-row a[href*="#cite-1"]').last).to_be_visible()


async def test_a_dead_server_says_why_on_its_card(chat: ChatPage, scripted: Site) -> None:
    servers = {"mcpServers": {"dead": {"url": "http://127.0.0.1:9/mcp"}}}
    (scripted.data / "mcp.json").write_text(json.dumps(servers), encoding="utf-8")
    await _go_to(chat, "tools-tab")
    card = chat.page.locator(".tool-card")
    await expect(card).to_contain_text("Failed")
    await expect(card.get_by_role("alert")).to_contain_text("cannot be reached")
    await card.get_by_role("button", name="Turn off dead").click()
    await expect(card).to_contain_text("Off")
    permission = chat.page.get_by_label("Permission of roll_dice")
    await permission.select_option("never")
    await expect(permission).to_have_value("never")
    await card.get_by_role("button", name="Remove dead").click()
    await expect(card).to_have_count(0)
    left = scripted.data / "mcp.json"
    await scripted.server.until(lambda: json.loads(left.read_text("utf-8")) == {"mcpServers": {}})
    await chat.go_to("Chat")


async def test_documents_are_dropped_into_a_new_collection(chat: ChatPage, tmp_path: Path) -> None:
    (tmp_path / "bells.txt").write_text("The bell rings at noon.", encoding="utf-8")
    await _go_to(chat, "knowledge-tab")
    await chat.page.locator("#knowledge-name input, #knowledge-name textarea").fill("bells")
    await chat.page.click("#knowledge-create")
    await expect(chat.page.locator("#knowledge-collection input")).to_have_value("bells")
    await chat.page.locator("#knowledge-files input[type=file]").set_input_files(tmp_path / "bells.txt")
    await expect(chat.page.locator("#knowledge-state")).to_contain_text("1 passage")
    query = chat.page.locator("#knowledge-query input, #knowledge-query textarea")
    await query.fill("When does the bell ring?")
    await query.press("Enter")
    await expect(chat.page.locator("#knowledge-found")).to_contain_text("rings at noon")
    await chat.go_to("Chat")


async def _go_to(chat: ChatPage, name: str) -> None:
    """A page of the settings."""
    await chat.go_to("Settings")
    await chat.page.click(f"#settings-list [data-section={name}]")
    await expect(chat.page.locator(f"#{name}")).to_be_visible()
