"""Files beside a message: what the model reads, what is refused and why, pasted text that becomes a file."""

import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Browser, Locator, expect

from tests.browser.chat_page import ChatPage
from tests.browser.sites import scripted_site
from tests.browser.visits import visiting

# What the scripted model says of the picture.
SEEN = "[image 8x8 #008080]"

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_text_file_reaches_the_model(chat: ChatPage, tmp_path: Path) -> None:
    await _attach(chat, tmp_path, "notes.txt", b"The password is swordfish.")
    await chat.say("What is the password?")
    await expect(chat.sent).to_contain_text("notes.txt")
    await expect(chat.replies).to_contain_text("swordfish")


async def test_file_that_nobody_can_read_is_refused_with_its_reason(chat: ChatPage, tmp_path: Path) -> None:
    await _attach(chat, tmp_path, "broken.pdf", b"%PDF-1.7 and then nothing of the kind")
    await chat.write("Read this")
    await expect(chat.notices).to_contain_text("broken.pdf")
    await expect(chat.sent).to_have_count(0)
    await expect(chat.box).to_have_value("Read this")


async def test_picture_is_pasted_and_asked_about(chat: ChatPage) -> None:
    """It stays in the sent message, and what is written again or comes later sees it."""
    await _paste(chat, "cat.png", _png())
    await expect(chat.page.locator("#box .thumbnail-item img")).to_have_count(1)
    await chat.say("what is it?")
    await expect(chat.replies).to_contain_text(SEEN)
    await expect(chat.sent.locator("img")).to_have_count(1)
    await chat.button("Regenerate").last.click()
    await expect(chat.versions).to_contain_text("2")
    await expect(chat.replies).to_contain_text(SEEN)
    await chat.page.reload()
    await expect(chat.sent.locator("img")).to_have_count(1)
    await expect(chat.replies).to_contain_text(SEEN)


async def test_picture_stays_with_a_message_that_is_edited_and_branched(chat: ChatPage) -> None:
    await _paste(chat, "cat.png", _png())
    await chat.say("what is it?")
    await expect(chat.replies).to_contain_text(SEEN)
    await chat.sent.first.hover()
    await chat.button("Edit").first.click()
    await chat.page.locator("#chat textarea").fill("and now, what is it?")
    await chat.button("Save").click()
    await expect(chat.sent).to_contain_text("and now, what is it?")
    await expect(chat.sent.locator("img")).to_have_count(1)
    await chat.button("Regenerate").last.click()
    await expect(chat.versions).to_contain_text(["2", "2"])
    await chat.until_done()
    await expect(chat.replies).to_contain_text(SEEN)
    await expect(chat.chosen).to_have_count(1)
    known = await chat.chats.count()
    await chat.button("Branch here").last.click()
    await expect(chat.chats).to_have_count(known + 1)
    await expect(chat.sent.locator("img")).to_have_count(1)
    await chat.button("Regenerate").last.click()
    await chat.until_done()
    await expect(chat.replies).to_contain_text(SEEN)


async def test_pictures_are_dropped_onto_the_box(chat: ChatPage) -> None:
    await _drop(chat, "cat.png", _png())
    await expect(chat.page.locator("#box .thumbnail-item img")).to_have_count(1)
    await chat.say("and this?")
    await expect(chat.replies).to_contain_text(SEEN)
    # A message that is taken back has its picture in the box again.
    await chat.button("Delete").last.click()
    await expect(chat.sent).to_have_count(0)
    await expect(chat.page.locator("#box .thumbnail-item img")).to_have_count(1)
    await chat.box.press("Enter")
    await expect(chat.replies).to_contain_text(SEEN)


async def test_picture_for_a_model_that_sees_none_is_refused(browser: Browser, tmp_path: Path) -> None:
    async with scripted_site(tmp_path, scripted_text_only=True) as site, visiting(browser, site.url) as page:
        chat = ChatPage(page)
        await chat.arrive()
        await _attach(chat, tmp_path, "cat.png", _png())
        await chat.write("What is this?")
        await expect(chat.notices).to_contain_text("--mmproj")
        await expect(chat.box).to_have_value("What is this?")
        await expect(chat.page.locator("#box .thumbnail-item")).to_have_count(1)
        await expect(chat.sent).to_have_count(1)


async def _attach(chat: ChatPage, folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    await _file_input(chat).set_input_files(folder / name)
    await expect(chat.page.locator("#box .thumbnail-item")).to_have_count(1)


def _file_input(chat: ChatPage) -> Locator:
    return chat.page.locator("#box input[type=file]")


async def _paste(chat: ChatPage, name: str, content: bytes) -> None:
    await chat.box.focus()
    await _with_file(chat, "paste", name, content)


async def _drop(chat: ChatPage, name: str, content: bytes) -> None:
    await _with_file(chat, "drop", name, content)


async def _with_file(chat: ChatPage, event: str, name: str, content: bytes) -> None:
    """What a browser tells the page when its user pastes or drops a picture."""
    await chat.box.evaluate(
        """(box, [event, name, bytes]) => {
            const files = new DataTransfer();
            files.items.add(new File([new Uint8Array(bytes)], name, { type: 'image/png' }));
            const facts = { bubbles: true, cancelable: true };
            box.dispatchEvent(event === 'paste'
                ? new ClipboardEvent('paste', { ...facts, clipboardData: files })
                : new DragEvent('drop', { ...facts, dataTransfer: files }));
        }""",
        [event, name, list(content)],
    )


def _png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, "PNG")
    return file.getvalue()
