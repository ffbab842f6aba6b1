"""Tabs of the page side by side and in the middle of replies: stopping, closing, the same chat twice, deleting, naming."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from tests.ui.served import ServedPage, served_page
from tests.ui.wire import SECONDS, Tab, new_tab

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz"
# 20 ms apart; what is under way when the stop arrives may still be said.
LATE_WORDS: Final = 15


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServedPage]:
    async with served_page(tmp_path_factory.mktemp("user_data"), max_queue=2, parallel=2) as served:
        yield served


async def _begun(tab: Tab, words: str = "slow 500", shows: str = "abcdef") -> None:
    await tab.act("new-chat", "click")
    await tab.say(words)
    await tab.until(shows)


async def test_a_chat_that_is_begun_before_the_page_is_filled_stays(page: ServedPage) -> None:
    async with new_tab(page.http) as earlier:
        await earlier.act("new-chat", "click")
        assert await earlier.ask("echo: of yesterday") == "of yesterday"
    tab = Tab(page.http, (await page.http.get("/config")).json())
    try:
        await tab.act("new-chat", "click")
        await tab.open(is_busy=False)
        assert tab.words == []
        assert await tab.ask("echo: quick") == "quick"
        assert "of yesterday" not in tab.words
    finally:
        await tab.close()


async def test_a_choice_that_leads_nowhere_else_shows_the_reply_to_its_end(page: ServedPage) -> None:
    async with new_tab(page.http) as tab:
        await _begun(tab, "slow 60")
        await tab.act("mode", "input", mode="instruct")
        assert tab.words == ["slow 60", (ALPHABET * 3)[:60]]
        assert tab.live_words == ""


async def test_stop_ends_the_reply_within_a_token(page: ServedPage) -> None:
    async with new_tab(page.http) as tab:
        await tab.act("new-chat", "click")
        event = await tab.say("slow 500")
        await tab.until("abcdef")
        shown = len(tab.live_words)
        await tab.act("box", "stop")
        await tab.over(event)
        assert event.error is None
        _, reply = tab.words
        assert reply.startswith(ALPHABET[:6])
        assert len(reply) <= shown + LATE_WORDS
        assert await tab.ask("echo: next") == "next"


async def test_stop_shows_the_rest_of_a_reply_that_is_paced(page: ServedPage) -> None:
    """Also when the model has finished long before; and a reply that goes on with another one shows that at once."""
    async with new_tab(page.http) as tab:
        await tab.act("new-chat", "click")
        pace = tab.labelled("Max tokens/s (pace)")
        tab.values[pace] = 1
        event = await tab.say("echo: " + "word " * 400)
        await tab.until("wor")
        await _until_over(page, tab)
        assert len(tab.live_words) < 1000
        await tab.act("box", "stop")
        await tab.over(event)
        assert tab.words[1].count("word") == 400
        assert '"stopped"' not in tab.value("bridge")
        event = await tab.begin("continue", "click")
        await tab.until("word word word")
        await tab.act("box", "stop")
        await tab.over(event)
        assert tab.words[1].count("word") >= 400
        tab.values[pace] = 0
        assert await tab.ask("echo: next") == "next"


async def test_stop_ends_what_is_written_as_the_user(page: ServedPage) -> None:
    async with new_tab(page.http) as tab:
        await tab.act("new-chat", "click")
        event = await tab.begin("impersonate", "click", box={"text": "slow 500", "files": []})
        while "abc" not in tab.value("box")["text"]:
            await tab.changed()
        assert tab.looks("box")["stop_btn"] is True
        assert tab.looks("box")["elem_classes"] == ["is-filled-in"]
        await tab.act("box", "stop")
        await tab.over(event)
        assert event.error is None
        assert len(tab.value("box")["text"]) < 250
        looks = tab.looks("box")
        assert (looks["stop_btn"], looks["submit_btn"], looks["elem_classes"]) == (False, True, [])


async def test_stop_ends_nobody_else_s_reply(page: ServedPage) -> None:
    async with new_tab(page.http) as first, new_tab(page.http) as second:
        await _begun(first)
        await second.act("new-chat", "click")
        other = await second.say("slow 60")
        await second.until("abc")
        await first.act("box", "stop")
        await second.over(other)
        assert len(second.words[-1]) == 60


async def test_the_reply_of_a_closed_tab_goes_on_and_is_found_again(page: ServedPage) -> None:
    async with new_tab(page.http) as tab:
        await _begun(tab, "slow 150")
    async with new_tab(page.http, is_busy=True) as later:
        assert later.words == ["slow 150"]
        await later.until_words("slow 150", (ALPHABET * 6)[:150])


async def test_two_tabs_on_one_chat(page: ServedPage) -> None:
    async with new_tab(page.http) as first:
        await _begun(first, "slow 100")
        async with new_tab(page.http, is_busy=True) as second:
            refused = await second.act("box", "submit", box={"text": "echo: me too", "files": []})
            assert "Stop it first" in str(refused.error)
            # What was written is neither gone from the box nor half kept in the chat.
            assert second.value("box")["text"] == "echo: me too"
            assert second.words[0] == "slow 100"
            assert "echo: me too" not in second.words
            await second.act("box", "stop")
        await first.until_idle()
        assert first.words[0] == "slow 100"
        assert len(first.words) == 2


async def test_a_chat_that_is_deleted_stays_deleted(page: ServedPage) -> None:
    async with new_tab(page.http) as tab:
        await _begun(tab)
        before = _chats(page.folder)
        await tab.act("past-chats", "delete")
        assert tab.words == []
        await tab.until_idle()
        assert len(_chats(page.folder)) == len(before) - 1
        await tab.act("undo-delete", "click")
        assert tab.words[0] == "slow 500"
        assert tab.words[1].startswith("abcdef")


async def test_a_chat_is_named_while_a_reply_is_written_to_it(page: ServedPage) -> None:
    async with new_tab(page.http) as tab:
        await _begun(tab)
        chat = json.loads(tab.value("past-chats"))["chat"]
        named = await tab.act("past-chats", "submit", event_data={"chat": chat, "name": "Another name"})
        assert named.error is None
        assert json.loads(tab.value("past-chats"))["title"] == "Another name"
        await tab.act("box", "stop")
        await tab.until_idle()
        assert [path.stem for path in _chats(page.folder)].count(chat) == 1
        again = await tab.act("past-chats", "submit", event_data={"chat": chat, "name": "Its file, too"})
        assert again.error is None
        assert sum(path.stem == "Its file, too" for path in _chats(page.folder)) == 1


async def test_a_full_queue_is_told_and_the_message_is_kept(page: ServedPage) -> None:
    async with AsyncExitStack() as stack:
        tabs = [await stack.enter_async_context(new_tab(page.http)) for _ in range(5)]
        for tab in tabs:
            await tab.act("new-chat", "click")
        for tab in tabs[:2]:
            await _begun(tab)
        third, fourth, late = tabs[2:]
        waiting = [await tab.say("echo: waited") for tab in (third, fourth)]
        await asyncio.gather(*(tab.until_words("echo: waited") for tab in (third, fourth)))
        refused = await late.act("box", "submit", box={"text": "echo: too many", "files": []})
        assert refused.error is None
        assert late.words[0] == "echo: too many"
        assert "requests are waiting" in late.words[1]
        for tab in tabs[:2]:
            await tab.act("box", "stop")
        await asyncio.gather(third.over(waiting[0]), fourth.over(waiting[1]))
        assert [third.words[-1], fourth.words[-1]] == ["waited", "waited"]


async def _until_over(page: ServedPage, tab: Tab) -> None:
    """Until the model has said all of the reply, and the chat is kept with it."""
    chat = json.loads(tab.value("past-chats"))["chat"]
    file = next(path for path in _chats(page.folder) if path.stem == chat)
    async with asyncio.timeout(SECONDS):
        while '"stop"' not in file.read_text("utf-8"):
            await tab.changed()


def _chats(folder: Path) -> list[Path]:
    return [path for path in (folder / "logs").rglob("*.json") if path.name != "state.json"]
