"""Further versions of a reply that are written at the same time."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from modules.chat.session import session
from modules.chat.tool_events import LoopEvent
from modules.errors import Busy
from modules.events import Content, Started
from modules.library.chats.history import History, Side
from modules.ui.replies.running import RunningReply
from modules.ui.replies.versions import FurtherVersion, RunningVersions

pytestmark = pytest.mark.asyncio


def talk() -> History:
    asked = session.with_message(History(), "Hi")
    return session.with_message(session.with_reply(asked, "Hello"), "And now?")


class Source:
    """A model that says a word, and goes on when it is let."""

    def __init__(self, *words: str) -> None:
        self.goes_on = asyncio.Event()
        self._words = words

    async def events(self, _: RunningReply) -> AsyncGenerator[LoopEvent, None]:
        yield Started(model="m", prompt_tokens=1)
        for word in self._words:
            yield Content(index=0, text=word)
            await self.goes_on.wait()


async def test_both_become_versions_and_the_one_that_counts_stays() -> None:
    kept: list[History] = []

    async def keep(history: History) -> None:
        kept.append(history)

    versions = RunningVersions(talk(), 0, keep)
    first, second = Source("Good day"), Source()
    replies = [
        versions.begin(FurtherVersion(0, 0, "calm"), first.events),
        versions.begin(FurtherVersion(0, 1), second.events),
    ]
    with pytest.raises(Busy):
        versions.begin(FurtherVersion(0, 0), first.events)
    running = asyncio.create_task(versions.run())
    second.goes_on.set()
    first.goes_on.set()
    await running
    assert not versions.is_writing
    turn = session.turn_at(kept[-1], 0, Side.ASSISTANT)
    # What said nothing is no version.
    assert [(each.text, each.extra) for each in turn.versions] == [("Hello", {}), ("Good day", {"preset": "calm"})]
    assert (turn.text, turn.version, versions.index_of(replies[0])) == ("Hello", 0, 1)
    assert (versions.has_written(replies[0]), versions.has_written(replies[1])) == (True, False)
    assert len(kept[-1].rows) == 2


async def test_ending_them_keeps_what_they_have_said() -> None:
    kept: list[History] = []

    async def keep(history: History) -> None:
        kept.append(history)

    versions = RunningVersions(talk(), 0, keep)
    reply = versions.begin(FurtherVersion(0, 1), Source("waiting").events)
    running = asyncio.create_task(versions.run())
    async with aclosing(reply.frames()) as frames:
        async for draft in frames:
            if draft.content:
                break
    running.cancel()
    await asyncio.wait([running])
    assert session.turn_at(kept[-1], 0, Side.ASSISTANT).versions[1].text == "waiting"
