"""A page that stays open while the program is ended and started again: it goes on in its chat, and nothing is lost."""

import json
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
import yaml
from playwright.async_api import Browser, expect

from tests.browser.chat_page import ChatPage
from tests.browser.visits import watched
from tests.browser.warm_start import warm_launch
from tests.live.server import ROOT, LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

MARKS = "Web UI: "


@dataclass
class Program:
    """On one port and with one folder, however often it is started."""

    folder: Path
    server: LiveServer
    url: str = ""

    @classmethod
    async def started(cls, folder: Path, port: int = 0) -> "Program":
        server = warm_launch(folder, "--listen-port", port, "--loader", "scripted")
        await server.until_listening()
        await server.until(lambda: MARKS in server.log)
        return cls(folder, server, server.log.partition(MARKS)[2].split()[0])

    async def start_again(self) -> None:
        again = await Program.started(self.folder, int(self.url.rstrip("/").rpartition(":")[2]))
        self.server = again.server

    def end(self) -> None:
        """At once, as when a machine goes down."""
        self.server.kill()

    def chats(self, place: str = "instruct") -> list[list[list[str]]]:
        files = sorted((self.folder / "logs" / place).rglob("*.json"))
        chats = [json.loads(path.read_text(encoding="utf-8")) for path in files]
        return [chat["internal"] for chat in chats if "internal" in chat]


@pytest_asyncio.fixture(loop_scope="session")
async def program(tmp_path: Path) -> AsyncIterator[Program]:
    (tmp_path / "characters").mkdir()
    for name in ("Example.yaml", "Example.png"):
        shutil.copy(ROOT / "user_data/characters" / name, tmp_path / "characters")
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump({"auto_max_new_tokens": True}), encoding="utf-8")
    running = await Program.started(tmp_path)
    try:
        yield running
    finally:
        running.end()


@pytest_asyncio.fixture(loop_scope="session")
async def chat(browser: Browser, program: Program) -> AsyncIterator[ChatPage]:
    async with watched(browser, program.url) as (context, _):
        page = ChatPage(await context.new_page())
        await page.page.goto("/")
        await expect(page.box).to_be_visible()
        yield page


@pytest.mark.extended
async def test_the_next_message_goes_to_the_chat_that_is_shown(chat: ChatPage, program: Program) -> None:
    await chat.say("echo: one")
    await chat.new()
    await chat.say("echo: two")
    await chat.chats.nth(1).click()
    await expect(chat.sent).to_have_text(["echo: one"])
    await chat.box.fill("echo: three")
    program.end()
    # The page listens for changes of the list, so it learns of the end, and loads itself anew.
    async with chat.page.expect_event("load"):
        await program.start_again()
    await expect(chat.box).to_have_value("echo: three")
    await chat.box.press("Enter")
    await expect(chat.replies).to_have_text(["one", "three"])
    await chat.until_done()
    await expect(chat.sent).to_have_text(["echo: one", "echo: three"])
    assert program.chats() == [[["echo: one", "one"], ["echo: three", "three"]], [["echo: two", "two"]]]


async def test_a_message_to_a_program_that_is_not_there_is_kept(chat: ChatPage, program: Program) -> None:
    await chat.say("echo: one")
    await chat.new()
    await chat.say("echo: two")
    await chat.chats.nth(1).click()
    await expect(chat.sent).to_have_text(["echo: one"])
    program.end()
    await chat.write("echo: meanwhile")
    await expect(chat.notices).to_contain_text(["Connection to the server was lost"])
    await expect(chat.page.locator("#server-gone")).to_be_visible()
    async with chat.page.expect_event("load"):
        await program.start_again()
    await expect(chat.replies).to_have_text(["one"])
    await expect(chat.box).to_have_value("echo: meanwhile")
    await chat.box.press("Enter")
    await expect(chat.replies).to_have_text(["one", "meanwhile"])
    await expect(chat.box).to_have_value("")


@pytest.mark.extended
async def test_a_reply_that_was_cut_off_is_kept_and_gone_on_from(chat: ChatPage, program: Program) -> None:
    await chat.say("echo: one")
    await chat.write("slow 2000")
    await chat.growing()
    await program.server.until(lambda: len(program.chats()[0]) == 2 and program.chats()[0][1][1])
    program.end()
    async with chat.page.expect_event("load"):
        await program.start_again()
    await expect(chat.sent.last).to_have_text("slow 2000")
    await chat.write("echo: two")
    await expect(chat.replies.last).to_have_text("two")
    await expect(chat.sent).to_have_text(["echo: one", "slow 2000", "echo: two"])
    await chat.until_done()
    assert [asked for asked, _ in program.chats()[0]] == ["echo: one", "slow 2000", "echo: two"]


@pytest.mark.extended
async def test_a_new_chat_with_a_character_stays_one(chat: ChatPage, program: Program) -> None:
    await chat.speak_with("Example")
    # The last that the page asks for then.
    await expect(chat.page.locator("#chat .avatar-container img").first).to_have_attribute("src", re.compile("^data:"))
    await program.server.until(lambda: "character: Example" in (program.folder / "settings.yaml").read_text())
    program.end()
    await program.start_again()
    await chat.write("Is there a screwdriver?")
    await expect(chat.replies).to_have_count(2)
    await chat.until_done()
    assert program.chats() == []
    (rows,) = program.chats("chat/Example")
    assert [asked for asked, _ in rows] == ["<|BEGIN-VISIBLE-CHAT|>", "Is there a screwdriver?"]


@pytest.mark.extended
async def test_what_is_kept_nowhere_is_not_kept_by_a_restart(chat: ChatPage, program: Program) -> None:
    await chat.page.click("#new-incognito")
    await chat.say("echo: secret")
    program.end()
    await program.start_again()
    await chat.write("echo: secret too")
    await expect(chat.notices.filter(has_text="was restarted")).to_be_visible()
    await expect(chat.replies.last).to_have_text("secret too")
    await chat.until_done()
    assert program.chats() == []
