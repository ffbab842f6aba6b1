"""Choices of a chat in quick succession: what is shown, and what a message goes to, is the chat that was chosen last."""

import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from modules.library.chats.histories import Place
from tests.ui.served import ServedPage, served_page
from tests.ui.wire import Event, Tab, new_tab

pytestmark = pytest.mark.asyncio(loop_scope="module")

_GREETINGS: Final = {"Ann": "Ann is here.", "Bob": "Bob is here."}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def page(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ServedPage]:
    async with served_page(tmp_path_factory.mktemp("user_data")) as served:
        folder = served.folder / "characters"
        folder.mkdir(exist_ok=True)
        for name, greeting in _GREETINGS.items():
            (folder / f"{name}.yaml").write_text(f"name: {name}\ngreeting: {greeting}\n", encoding="utf-8")
        yield served


@contextmanager
def _held(page: ServedPage, monkeypatch: pytest.MonkeyPatch, character: str) -> Iterator[threading.Event]:
    """Finding the last chat of this character takes until the event is set."""
    histories = page.runtime.library.histories
    found, is_free = histories.last, threading.Event()

    def last(place: Place) -> str | None:
        assert place.character != character or is_free.wait(60)
        return found(place)

    with monkeypatch.context() as patch:
        patch.setattr(histories, "last", last)
        try:
            yield is_free
        finally:
            is_free.set()


async def _choose(tab: Tab, character: str) -> Event:
    """As a browser on a busy machine does it: without waiting for the choice before."""
    return await tab.begin("character", "input", mode="chat", character=character)


def _chats(page: ServedPage, character: str) -> list[Path]:
    return [each for each in (page.folder / "logs" / "chat" / character).rglob("*.json") if each.name != "state.json"]


async def test_late_result_of_an_older_choice_is_not_shown(page: ServedPage, monkeypatch: pytest.MonkeyPatch) -> None:
    async with new_tab(page.http) as tab:
        with _held(page, monkeypatch, "Ann") as is_free:
            older = await _choose(tab, "Ann")
            await tab.over(await _choose(tab, "Bob"))
            assert tab.words == ["Bob is here."]
            is_free.set()
            await tab.over(older)
        assert tab.words == ["Bob is here."]
        await tab.ask("For Bob")
        assert (len(_chats(page, "Ann")), len(_chats(page, "Bob"))) == (0, 1)


async def test_message_goes_to_the_character_that_was_just_chosen(
    page: ServedPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with new_tab(page.http) as tab:
        await tab.over(await _choose(tab, "Bob"))
        await tab.act("new-chat", "click")
        before = len(_chats(page, "Bob"))
        with _held(page, monkeypatch, "Ann") as is_free:
            choice = await _choose(tab, "Ann")
            sent = await tab.say("For Ann")
            is_free.set()
            await tab.over(choice)
            await tab.over(sent)
        assert tab.words[:2] == ["Ann is here.", "For Ann"]
        assert (len(_chats(page, "Ann")), len(_chats(page, "Bob"))) == (1, before)


async def test_message_that_cannot_be_sent_does_not_hide_the_choice(
    page: ServedPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with new_tab(page.http) as tab:
        await tab.over(await _choose(tab, "Bob"))
        await tab.act("new-chat", "click")
        with _held(page, monkeypatch, "Ann") as is_free:
            choice = await _choose(tab, "Ann")
            empty = await tab.say(" ")
            await tab.over(empty)
            assert "being opened" in str(empty.error)
            is_free.set()
            await tab.over(choice)
        assert tab.words[0] == "Ann is here."


async def test_reply_to_another_chat_is_not_shown_in_the_chosen_one(page: ServedPage) -> None:
    async with new_tab(page.http) as tab:
        await tab.act("mode", "input", mode="instruct")
        await tab.act("new-chat", "click")
        reply = await tab.say("slow 40")
        await tab.until("abc")
        # Without the cancelling that browsers ask for, which may come late.
        moved = await tab.send(tab.dependency("new-chat", "click"))
        await tab.over(moved)
        assert tab.words == []
        await tab.over(reply)
        assert (tab.words, tab.live_words) == ([], "")
        assert await tab.ask("echo: a new chat") == "a new chat"
        assert tab.words == ["echo: a new chat", "a new chat"]


async def test_nothing_is_done_to_a_chat_while_another_is_opened(
    page: ServedPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with new_tab(page.http) as tab:
        await tab.over(await _choose(tab, "Bob"))
        await tab.act("new-chat", "click")
        await tab.ask("This stays")
        before = tab.words
        assert before[:2] == ["Bob is here.", "This stays"]
        with _held(page, monkeypatch, "Ann") as is_free:
            choice = await _choose(tab, "Ann")
            for name, event in (("remove-last", "click"), ("regenerate", "click"), ("past-chats", "delete")):
                refused = await tab.act(name, event)
                assert "being opened" in str(refused.error), name
            is_free.set()
            await tab.over(choice)
        assert tab.words[0] == "Ann is here."
        await tab.over(await _choose(tab, "Bob"))
        assert tab.words == before


async def test_chat_of_the_list_and_character_in_quick_succession(
    page: ServedPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with new_tab(page.http) as tab:
        await tab.over(await _choose(tab, "Bob"))
        await tab.act("new-chat", "click")
        await tab.ask("This is listed")
        chosen, listed = json.loads(tab.value("past-chats"))["chat"], tab.words
        await tab.act("new-chat", "click")
        with _held(page, monkeypatch, "Ann") as is_free:
            older = await _choose(tab, "Ann")
            newer = await tab.begin("past-chats", "select", event_data={"chat": chosen})
            await tab.over(newer)
            is_free.set()
            await tab.over(older)
        assert tab.words == listed
