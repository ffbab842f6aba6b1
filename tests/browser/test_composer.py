"""What is sent anew, what waits for the end of a reply, what went wrong, and a server that is not there."""

import re
import signal
from pathlib import Path
from typing import Final

import pytest
from PIL import Image
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import scripted_site
from tests.browser.visits import visiting

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_PACE: Final = re.compile(r"^[\d,.]+ tok/s · [\d,]+ tok · [\d.]+ s$")


async def test_edited_question_is_asked_anew_and_the_old_answer_is_kept(chat: ChatPage) -> None:
    await chat.say("echo: First answer")
    await chat.say("echo: Second answer")
    await chat.sent.first.hover()
    await chat.button("Edit").first.click()
    await chat.page.locator("#chat textarea").fill("echo: Another answer")
    await chat.page.keyboard.press("Control+Enter")
    await expect(chat.replies).to_have_text(["Another answer"])
    await chat.until_done()
    await expect(chat.versions).to_have_text(["2/2"])
    await chat.button("Previous version").click()
    await expect(chat.replies).to_have_text(["First answer", "Second answer"])
    await chat.page.reload()
    await expect(chat.replies).to_have_text(["First answer", "Second answer"])
    await chat.sent.first.hover()
    await chat.button("Next version").click()
    await expect(chat.replies).to_have_text(["Another answer"])


async def test_messages_wait_for_the_end_of_a_reply(chat: ChatPage) -> None:
    queue = chat.page.locator("#queue")
    await chat.write("slow 3000")
    await chat.growing()
    for words in ("echo: One", "echo: Two", "echo: Three"):
        await chat.write(words)
    await expect(queue.locator("li")).to_have_count(3)
    await expect(chat.box).to_have_value("")
    await queue.get_by_role("button", name="Remove").nth(1).click()
    await expect(queue.locator("li")).to_have_count(2)
    await queue.get_by_role("button", name="Edit").nth(1).click()
    await expect(chat.box).to_have_value("echo: Three")
    await chat.box.press("Enter")
    await expect(queue.locator("li")).to_have_count(2)
    await expect(chat.box).to_have_value("")
    await chat.page.reload()
    await expect(queue.locator("li")).to_have_text(["echo: One", "echo: Three"])
    await chat.stop_button.click()
    await queue.get_by_role("button", name="Send now").click()
    await expect(chat.sent).to_have_text(["slow 3000", "echo: One", "echo: Three"])
    await chat.until_done()
    await expect(chat.replies.last).to_have_text("Three")
    await expect(queue).to_have_count(0)


async def test_message_with_a_file_waits_for_the_end_of_a_reply(chat: ChatPage, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("The password is swordfish.", encoding="utf-8")
    note = chat.page.get_by_text("This message is sent when the reply is complete.")
    await chat.write("slow 400")
    await chat.growing()
    await chat.page.locator("#box input[type=file]").set_input_files(tmp_path / "notes.txt")
    await expect(chat.page.locator("#box .thumbnail-item")).to_have_count(1)
    await chat.write("What is the password?")
    await expect(note).to_be_visible()
    await chat.page.get_by_role("button", name="Keep it").click()
    await expect(note).to_have_count(0)
    await expect(chat.box).to_have_value("What is the password?")
    await chat.box.press("Enter")
    await expect(chat.replies.last).to_contain_text("swordfish")
    await expect(chat.box).to_have_value("")
    await expect(chat.sent).to_have_count(2)


async def test_failure_stands_at_its_message(chat: ChatPage) -> None:
    strip = chat.page.locator("#chat .strip")
    await chat.write("fail")
    await expect(strip.get_by_role("button", name="Retry")).to_be_visible()
    await expect(chat.page.locator("#chat")).to_contain_text("ended unexpectedly")
    await expect(chat.page.locator("#model-pill .pill-dot.failed")).to_be_visible()
    await expect(chat.notices).to_have_count(0)
    await chat.page.reload()
    await expect(chat.page.locator("#chat")).to_contain_text("ended unexpectedly")
    await strip.get_by_role("button", name="Retry").click()
    await expect(chat.stop_button).to_have_count(0)
    await expect(strip.get_by_role("button", name="Retry")).to_be_visible()
    await expect(chat.sent).to_have_count(1)


async def test_figures_of_a_reply(chat: ChatPage) -> None:
    await chat.say("count 200")
    await expect(chat.page.locator("#chat .pace")).to_have_text(_PACE)
    await chat.say("echo: More")
    await expect(chat.page.locator("#chat .pace")).to_have_text([_PACE, _PACE])
    await chat.button("More ways to send", "#composer").click()
    await expect(chat.page.get_by_role("menuitem")).to_have_count(3)
    await chat.page.keyboard.press("Escape")
    await expect(chat.page.get_by_role("menuitem")).to_have_count(0)


async def test_server_that_is_gone_is_told_of_until_it_is_back(browser: Browser, tmp_path: Path) -> None:
    async with scripted_site(tmp_path) as site, visiting(browser, site.url) as page:
        chat = ChatPage(page)
        await chat.arrive()
        await chat.write("slow 9000")
        await chat.growing()
        await chat.box.fill("What I was writing")
        await page.evaluate("window.stays = true")
        banner = page.get_by_text("The server cannot be reached")
        # It keeps its connections, and says nothing any more.
        site.server.send_signal(signal.SIGSTOP)
        await expect(banner).to_be_visible()
        site.server.send_signal(signal.SIGCONT)
        await expect(banner).to_have_count(
            0,
        )
        await expect(chat.box).to_have_value("What I was writing")
        await chat.stop_button.click()
        await expect(chat.stop_button).to_have_count(0)
        # It is as it was, without having been loaded anew.
        assert await page.evaluate("window.stays")
        await chat.say("echo: Still here")
        await expect(chat.replies.last).to_have_text("Still here")


async def test_files_are_told_of_before_they_are_sent(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("The password is swordfish. " * 40, encoding="utf-8")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 and then nothing of the kind")
    Image.new("RGB", (8, 8), "teal").save(tmp_path / "cat.png")
    async with scripted_site(tmp_path / "data", scripted_text_only=True) as site, visiting(browser, site.url) as page:
        chat = ChatPage(page)
        await chat.arrive()
        chips = page.locator("#files li")
        await page.locator("#box input[type=file]").set_input_files(
            [tmp_path / name for name in ("notes.txt", "broken.pdf", "cat.png")]
        )
        await expect(chips).to_have_count(3)
        await expect(chips.nth(0)).to_contain_text(re.compile(r"notes\.txt.*\d tok", re.DOTALL))
        await expect(chips.nth(1)).to_contain_text("broken.pdf")
        await expect(chips.nth(2)).to_contain_text("cannot see pictures")
        for name in ("broken.pdf", "cat.png"):
            await page.get_by_role("button", name=f"Remove {name}").press("Enter")
            await expect(chips.filter(has_text=name)).to_have_count(0)
        await expect(page.locator("#gauge")).to_have_text(re.compile(r"^\d+ % of 8k$"))
        await page.click("#gauge")
        await expect(page.get_by_role("dialog")).to_contain_text("Room for the reply")
