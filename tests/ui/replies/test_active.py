"""Replies under way on the page: kept as they come, stopped alone, found again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from modules.chat.session import session
from modules.chat.tools.toolbox import ToolBox
from modules.errors import Busy
from modules.library.chats.histories import Histories, Place
from modules.library.chats.history import History
from modules.library.users import User
from modules.models.loading import launch_in_process
from modules.requests import ChatRequest
from modules.runtime import Runtime
from modules.settings.values import Settings
from modules.ui.replies import running as replies
from modules.ui.replies.active import ActiveReplies
from modules.ui.replies.draft import ReplyDraft
from modules.ui.replies.list_changes import ListChanges
from modules.ui.replies.requests import chat_request
from modules.ui.replies.running import RunningReply
from modules.ui.replies.tab_state import ChatTab, unkept

INSTRUCT = Place(None)


@dataclass
class Room:
    runtime: Runtime
    active_replies: ActiveReplies

    def begin(self, tab: ChatTab, words: str, *, draft: ReplyDraft | None = None) -> RunningReply:
        history = session.with_message(History(), words)
        return self.active_replies.start(
            tab, history, request(history), begun_with=draft or ReplyDraft(), confirms=False
        )

    def stored(self, tab: ChatTab) -> History:
        return self.runtime.library.histories.read(tab.place, tab.chat)


def request(history: History) -> ChatRequest:
    return chat_request(Settings(), history, User("You"))


@asynccontextmanager
async def room(folder: Path) -> AsyncIterator[Room]:
    settings = Settings(loader="scripted", user_data_dir=folder)
    async with (
        Runtime(settings, launch=launch_in_process) as runtime,
        aclosing(ToolBox(runtime.data)) as tools,
        aclosing(ActiveReplies(runtime, tools, ListChanges())) as active_replies,
    ):
        yield Room(runtime, active_replies)


async def ended(reply: RunningReply) -> None:
    async with aclosing(reply.frames()) as frames:
        async for _ in frames:
            pass


async def spoken(reply: RunningReply) -> None:
    """Returns when the reply has begun to say something."""
    async with aclosing(reply.frames()) as frames:
        async for draft in frames:
            if draft.content:
                return


def saving(histories: Histories, monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Set when a chat has been written whose last row has a reply."""
    saved, loop, save = asyncio.Event(), asyncio.get_running_loop(), histories.save

    def told(place: Place, chat_id: str, history: History) -> str:
        written = save(place, chat_id, history)
        if history.rows[-1].assistant.text:
            loop.call_soon_threadsafe(saved.set)
        return written

    monkeypatch.setattr(histories, "save", told)
    return saved


def files_below(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*.json")]


async def test_a_reply_is_kept_in_its_chat(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        tab = ChatTab(place=INSTRUCT, chat="one")
        reply = here.begin(tab, "echo: well")
        await ended(reply)
        assert here.stored(tab).rows[-1].assistant.text == "well"
        assert here.runtime.library.histories.last(INSTRUCT) == "one"
        assert (reply.error, here.active_replies.running(tab)) == (None, None)
        turn = here.stored(tab).rows[-1].assistant
        assert (turn.model, turn.tokens) == ("scripted", 4)
        # That of the request as the page makes it.
        assert here.stored(tab).rows[-1].assistant.outcome.receipt["completion"]


async def test_a_reply_goes_on_when_nobody_follows_it(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        tab = ChatTab(place=INSTRUCT, chat="one")
        reply = here.begin(tab, "slow 20")
        await spoken(reply)
        again = here.active_replies.running(tab)
        assert again is reply
        await ended(again)
        assert len(here.stored(tab).rows[-1].assistant.text) == 20


async def test_what_has_been_said_is_on_disk_before_the_reply_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replies, "AUTOSAVE_SECONDS", 0.01)
    async with room(tmp_path) as here:
        saved = saving(here.runtime.library.histories, monkeypatch)
        tab = ChatTab(place=INSTRUCT, chat="one")
        reply = here.begin(tab, "stall")
        await spoken(reply)
        await saved.wait()
        assert here.stored(tab).rows[-1].assistant.text
        here.active_replies.stop(tab)
        await ended(reply)


async def test_stopping_ends_this_reply_and_no_other(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        first, second = ChatTab(place=INSTRUCT, chat="one"), ChatTab(place=Place("Example"), chat="one")
        replies_ = here.begin(first, "stall"), here.begin(second, "stall")
        for reply in replies_:
            await spoken(reply)
        here.active_replies.stop(first)
        await ended(replies_[0])
        assert here.active_replies.running(second) is replies_[1]
        assert here.stored(first).rows[-1].assistant.text
        here.active_replies.stop(second)
        await ended(replies_[1])


async def test_one_chat_gets_one_reply_at_a_time(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        tab = ChatTab(place=INSTRUCT, chat="one")
        reply = here.begin(tab, "stall")
        with pytest.raises(Busy):
            here.begin(tab, "echo: no")
        here.active_replies.stop(tab)
        await ended(reply)


async def test_a_failure_is_told_and_what_was_said_stays(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        tab = ChatTab(place=INSTRUCT, chat="one")
        reply = here.begin(tab, "fail", draft=ReplyDraft(content="so far"))
        await ended(reply)
        assert reply.error
        assert here.stored(tab).rows[-1].assistant.text.startswith("so far")


async def test_a_chat_that_is_not_kept_is_not_written(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        tab = unkept(INSTRUCT)
        reply = here.begin(tab, "echo: secret")
        await ended(reply)
        assert reply.history.rows[-1].assistant.text == "secret"
    assert files_below(tmp_path) == []


async def test_a_stop_that_comes_at_once_counts(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        tab = ChatTab(place=INSTRUCT, chat="one")
        reply = here.begin(tab, "stall")
        here.active_replies.stop(tab)
        await ended(reply)
        assert (reply.error, here.active_replies.running(tab)) == (None, None)


async def test_closing_keeps_what_has_been_said(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        tab = ChatTab(place=INSTRUCT, chat="one")
        await spoken(here.begin(tab, "stall"))
        histories = here.runtime.library.histories
    assert histories.read(tab.place, tab.chat).rows[-1].assistant.text


async def test_a_regeneration_of_which_nothing_comes_leaves_the_old_reply(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        tab = ChatTab(place=INSTRUCT, chat="one")
        await ended(here.begin(tab, "echo: old"))
        again = session.begin_regeneration(here.stored(tab))
        asked = request(session.with_message(History(), "fail"))
        reply = here.active_replies.start(tab, again, asked, begun_with=ReplyDraft(), confirms=False)
        await ended(reply)
        assert reply.error
        assert here.stored(tab).rows[-1].assistant.text.startswith("old") or reply.draft.text
