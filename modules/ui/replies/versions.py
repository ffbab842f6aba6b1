"""Further versions of one reply that are written at the same time, each in its own way."""

import asyncio
import html
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from modules.chat.session import session
from modules.chat.tool_events import Approval, LoopEvent
from modules.errors import Busy
from modules.library.chats.history import History, Side, Version
from modules.ui.replies.draft import ReplyDraft, joined
from modules.ui.replies.running import Keep, RunningReply, timestamp

_FULL: Final = "A version is being written here already. Wait for it, or stop it."

# Begins to write; the reply is what it may ask about calls of tools.
Begin: TypeAlias = Callable[[RunningReply], AsyncGenerator[LoopEvent, None]]


@dataclass(frozen=True, slots=True)
class FurtherVersion:
    """Of the reply in `row`, shown on one of two sides; `note` says how it differs from what the chat's own settings
    would give."""

    row: int
    side: int
    note: str = ""


class RunningVersions:
    """Versions of the reply in `row`, beside those in `base`; the one that counts stays the same. `keep` stores the
    conversation."""

    error: Final = None

    def __init__(self, base: History, row: int, keep: Keep) -> None:
        self.row = row
        self.is_stopped = False
        self._base = base
        self._keep = keep
        self._stamp = timestamp()
        self._written: list[tuple[RunningReply, str]] = []
        self._sides: dict[int, RunningReply] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._over = asyncio.Event()

    @property
    def has_begun(self) -> bool:
        return all(reply.has_begun for reply, _ in self._written)

    @property
    def history(self) -> History:
        """The conversation with as much of each as there is."""
        history = self._base
        for reply, note in self._written:
            if _says_anything(reply):
                history = session.with_further_version(history, self.row, self._version(reply, note))
        return history

    def change(self, act: Callable[[History], History]) -> None:
        """As of `RunningReply`."""
        self._base = act(self._base)

    @property
    def is_writing(self) -> bool:
        return any(not reply.is_over for reply, _ in self._written)

    def begin(self, version: FurtherVersion, begin: Begin) -> RunningReply:
        """One more. Raises Busy where its side has one."""
        if version.side in self._sides and not self._sides[version.side].is_over:
            raise Busy(_FULL)
        reply = RunningReply(self._base, ReplyDraft(), self._keep_all)
        self._written.append((reply, version.note))
        self._sides[version.side] = reply
        self._tasks.append(asyncio.create_task(_run(reply, begin(reply))))
        return reply

    def index_of(self, reply: RunningReply) -> int:
        """The number of the version that it has become."""
        turn = session.turn_at(self._base, self.row, Side.ASSISTANT)
        replies = [each for each, _ in self._written]
        return len(session.versions_of(turn)) + sum(map(_says_anything, replies[: replies.index(reply)]))

    async def run(self) -> None:
        """Until all that were begun are over, with those that are begun meanwhile."""
        try:
            while unfinished := [task for task in self._tasks if not task.done()]:
                await asyncio.wait(unfinished)
        finally:
            unfinished = [task for task in self._tasks if not task.done()]
            for task in unfinished:
                task.cancel()
            if unfinished:
                await asyncio.wait(unfinished)

    async def until_over(self) -> None:
        await self._over.wait()

    def finish(self) -> None:
        """They are kept; the chat is free for a reply."""
        self._over.set()

    def decide(self, approval: Approval) -> None:
        """What is shown of the chat has none of their calls; each is asked about on its own side."""

    def decide_on(self, side: int, approval: Approval) -> None:
        """The user's word about the call that waits on that side, if one does."""
        if side in self._sides:
            self._sides[side].decide(approval)

    def has_written(self, reply: RunningReply) -> bool:
        return _says_anything(reply)

    async def _keep_all(self, _: History) -> None:
        """In place of what one of them knows of the conversation."""
        await self._keep(self.history)

    def _version(self, reply: RunningReply, note: str) -> Version:
        draft = reply.draft
        shown = draft.text if draft.visible is None else joined(draft.reasoning, draft.visible)
        return Version(
            text=draft.text,
            visible=html.escape(shown),
            timestamp=self._stamp,
            tool_messages=draft.tool_messages,
            model=draft.model,
            tokens=draft.tokens,
            seconds=draft.seconds,
            probabilities=reply.probabilities,
            lore=draft.lore,
            extra={"preset": note} if note else {},
        )


def _says_anything(reply: RunningReply) -> bool:
    return bool(reply.draft.text or reply.draft.tool_messages)


async def _run(reply: RunningReply, events: AsyncGenerator[LoopEvent, None]) -> None:
    try:
        await reply.run(events)
    finally:
        reply.finish()
