"""Files beside a message: what the model reads, what is refused and why, pasted text that becomes a file."""

import io
from pathlib import Path

import pytest
from PIL import Image
from playwright.async_api import Locator, expect

from tests.browser.chat_page import ChatPage

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


async def test_picture_for_a_model_that_sees_none_is_refused(chat: ChatPage, tmp_path: Path) -> None:
    await _attach(chat, tmp_path, "cat.png", _png())
    await chat.write("What is this?")
    await expect(chat.notices).to_contain_text("reads text only")


async def _attach(chat: ChatPage, folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    await _file_input(chat).set_input_files(folder / name)
    await expect(chat.page.locator("#box .thumbnail-item")).to_have_count(1)


def _file_input(chat: ChatPage) -> Locator:
    return chat.page.locator("#box input[type=file]")


def _png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(file, "PNG")
    return file.getvalue()
