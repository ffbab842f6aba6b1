"""The chats that the page shows: where each conversation is, and which have a running reply."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Container, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from modules.chat.citations import next_number
from modules.chat.tool_events import Approval, LoopEvent
from modules.chat.tool_loop import ToolLoop
from modules.chat.tools.cited import CitingTools
from modules.chat.tools.toolbox import ToolBox
from modules.errors import Busy, ServiceError
from modules.library.chats.histories import Place
from modules.library.chats.history import History, last_model
from modules.messages import ToolCall
from modules.requests import ChatRequest
from modules.runtime import Runtime
from modules.ui.replies.asked import AskedRequests
from modules.ui.replies.draft import ReplyDraft
from modules.ui.replies.list_changes import ListChanges
from modules.ui.replies.marks import whole_mark
from modules.ui.replies.running import Keep, RunningReply
from modules.ui.replies.tab_state import ChatTab
from modules.ui.replies.throttle import paced_drafts
from modules.ui.replies.versions import FurtherVersion, RunningVersions

_log = logging.getLogger(__name__)
# A reply ends within one step of the model; what takes longer is left to end by itself.
_END_SECONDS: Final = 5.0
_BUSY: Final = "A reply is being written to this chat. Stop it first."


Afterwards = Callable[[ChatTab, History], Coroutine[None, None, None]]


class ActiveReplies:
    """Owns the tasks of all replies; closing it stops them, and waits until what they have said is kept."""

    def __init__(self, runtime: Runtime, tools: ToolBox, changes: ListChanges) -> None:
        self._runtime = runtime
        self._changes = changes
        self._histories = runtime.library.histories
        self._tools = tools
        self._loop = ToolLoop(runtime.chat, tools, runtime.work)
        self._replies: dict[tuple[Place, str], RunningReply | RunningVersions] = {}
        self._tasks: dict[tuple[Place, str], asyncio.Task[None]] = {}
        self._paced: list[tuple[tuple[Place, str], RunningReply]] = []
        self._afterwards: list[Afterwards] = []
        self._later: set[asyncio.Task[None]] = set()
        self.asked = AskedRequests()

    def when_complete(self, act: Afterwards) -> None:
        """Have `act` called for each chat that has got a whole reply, with the conversation; nobody waits for it."""
        self._afterwards.append(act)

    def running(self, tab: ChatTab) -> RunningReply | RunningVersions | None:
        return self._replies.get(tab.key)

    def writing(self, place: Place) -> frozenset[str]:
        """The chats of a place to which replies are being written."""
        return frozenset(chat for there, chat in self._replies if there == place)

    def check_free(self, tab: ChatTab) -> None:
        """Raises Busy while a reply to the tab's chat is under way."""
        if tab.key in self._replies:
            raise Busy(_BUSY)

    async def history(self, tab: ChatTab) -> History:
        """The conversation as it is now. Raises BadRequest when its file is gone or damaged."""
        reply = self.running(tab)
        if reply is not None:
            return reply.history
        if tab.history is not None:
            return tab.history
        if not tab.chat:
            return History()
        return await asyncio.to_thread(self._histories.read, tab.place, tab.chat)

    async def state(self, place: Place, chat: str) -> str:
        """The mark of the chat's messages, or another text for each reply that is being written to it; empty while
        versions are, which are for whoever has begun them. Raises BadRequest as `history`."""
        tab = ChatTab(place=place, chat=chat)
        reply = self.running(tab)
        if reply is None:
            return whole_mark(await self.history(tab))
        return f"reply {id(reply)}" if isinstance(reply, RunningReply) else ""

    async def keep(self, tab: ChatTab, history: History) -> ChatTab:
        """Stores the conversation: on disk, or in the tab that it lives in; returns the tab as it is then."""
        if not tab.is_kept:
            return replace(tab, history=history)
        await asyncio.to_thread(self._save, tab, history)
        self._changes.note()
        return tab

    async def change(self, tab: ChatTab, act: Callable[[History], History]) -> ChatTab:
        """As `keep` of what `act` makes of the conversation, which is to leave its messages alone: a reply may be under way
        to it, and is kept with the change."""
        if self.running(tab) is None:
            tab = await self.keep(tab, act(await self.history(tab)))
        if (reply := self.running(tab)) is not None:
            reply.change(act)
        return tab

    def start(
        self,
        tab: ChatTab,
        base: History,
        request: ChatRequest,
        *,
        begun_with: ReplyDraft,
        confirms: bool | Container[str],
        collections: Sequence[str] = (),
    ) -> RunningReply:
        """Begin a reply to the last row of `base`; tools search `collections` of documents. `confirms` are the tools whose
        calls wait for their user's word, True for all. Raises Busy when one is under way already."""
        self.check_free(tab)
        self.asked.note(tab.key, request)
        reply = self._replies[tab.key] = RunningReply(base, begun_with, self._keeping(tab))
        tools = CitingTools(self._tools, first=next_number(base), collections=collections)
        events = self._events(tab, request, reply, tools, confirms=confirms)
        self._tasks[tab.key] = asyncio.create_task(self._run(tab, reply.run(events)))
        self._changes.note()
        return reply

    def start_version(
        self,
        tab: ChatTab,
        base: History,
        version: FurtherVersion,
        request: ChatRequest,
        *,
        confirms: bool | Container[str],
        collections: Sequence[str] = (),
    ) -> tuple[RunningVersions, RunningReply]:
        """Begin a further version of a reply in `base`, beside another one if that is under way. Raises Busy
        when another reply is, or one that is shown on the same side."""
        versions = self._replies.get(tab.key)
        if versions is None:
            versions = self._replies[tab.key] = RunningVersions(base, version.row, self._keeping(tab))
            is_first = True
        elif isinstance(versions, RunningVersions) and versions.row == version.row:
            is_first = False
        else:
            raise Busy(_BUSY)
        self.asked.note(tab.key, request)
        tools = CitingTools(self._tools, first=next_number(base), collections=collections)
        reply = versions.begin(version, lambda each: self._events(tab, request, each, tools, confirms=confirms))
        if is_first:
            self._tasks[tab.key] = asyncio.create_task(self._run(tab, versions.run()))
            self._changes.note()
        return versions, reply

    def _events(
        self,
        tab: ChatTab,
        request: ChatRequest,
        reply: RunningReply,
        tools: CitingTools,
        *,
        confirms: bool | Container[str],
    ) -> AsyncGenerator[LoopEvent, None]:
        async def approve(call: ToolCall) -> Approval:
            asks = confirms if isinstance(confirms, bool) else call.name in confirms
            return await reply.approval(call) if asks else Approval.ONCE

        return self._loop.converse(request, owner=_owner(tab), approve=approve, tools=tools)

    def _keeping(self, tab: ChatTab) -> Keep:
        async def keep(history: History) -> None:
            if tab.is_kept:
                try:
                    await asyncio.to_thread(self._save, tab, history)
                except (ServiceError, OSError) as error:
                    _log.error("a chat could not be saved: %s", type(error).__name__)

        return keep

    async def paced(self, tab: ChatTab, reply: RunningReply, rate: float) -> AsyncGenerator[ReplyDraft, None]:
        """The reply, shown more slowly than it comes: what it has said when it is stopped, maybe long after its end, is
        shown at once."""
        shown = tab.key, reply
        self._paced.append(shown)
        try:
            async with aclosing(paced_drafts(reply, rate)) as drafts:
                async for draft in drafts:
                    yield draft
        finally:
            self._paced.remove(shown)

    def stop(self, tab: ChatTab) -> None:
        """End the tab's reply after what it has said, and show all of that; nobody else's is touched."""
        reply = self._replies.get(tab.key)
        for key, each in self._paced:
            if key == tab.key:
                each.is_shown_at_once = True
        if reply is not None:
            reply.is_stopped = True
        if reply is not None and not reply.has_begun:
            # It may be waiting for a model to be loaded, and then nobody listens to a stop yet. Soon, not now: a task
            # that has not run yet would never keep what there is.
            asyncio.get_running_loop().call_soon(self._tasks[tab.key].cancel)
        self._runtime.work.stop(_owner(tab))

    async def end(self, tab: ChatTab) -> None:
        """As `stop`; waits a while for what the reply has said to be stored."""
        self.stop(tab)
        if task := self._tasks.get(tab.key):
            await asyncio.wait([task], timeout=_END_SECONDS)

    async def end_all(self) -> None:
        """As `end`, for every chat that is kept."""
        tabs = [ChatTab(place=place, chat=chat) for place, chat in self._replies]
        await asyncio.gather(*map(self.end, tabs))

    async def aclose(self) -> None:
        tasks = [*self._tasks.values(), *self._later]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, tab: ChatTab, work: Awaitable[None]) -> None:
        try:
            await work
        finally:
            del self._tasks[tab.key]
            reply = self._replies.pop(tab.key)
            self._changes.finished(tab.key)
            reply.finish()
        if reply.error is None and not reply.is_stopped:
            for act in self._afterwards:
                task = asyncio.create_task(act(tab, reply.history))
                self._later.add(task)
                task.add_done_callback(self._later.discard)

    def _save(self, tab: ChatTab, history: History) -> None:
        self._histories.save(tab.place, tab.chat, history)
        self._histories.set_last(tab.place, tab.chat)
        if tab.place.character and (model := last_model(history)):
            self._runtime.library.characters.models.note(tab.place.character, model)


def _owner(tab: ChatTab) -> str:
    return f"page:{tab.place.character or ''}:{tab.chat}"
