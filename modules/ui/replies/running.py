"""Running replies of the page, each in a task of its own.

A tab that is closed or reloaded does not end its reply, and finds it again.
"""

import asyncio
import html
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Final

from modules.chat.session import session
from modules.chat.tool_events import Approval, LoopEvent
from modules.errors import ServiceError
from modules.library.chats.history import History, Outcome
from modules.messages import ToolCall
from modules.ui.replies.draft import Drafting, ReplyDraft, joined

_log = logging.getLogger(__name__)

# Gradio draws the whole message anew each time, and more often makes phones slow.
FRAMES_A_SECOND: Final = 12
# What a crash of the program may cost, against the writes of a long reply.
AUTOSAVE_SECONDS: Final = 1.0
BROKE_DOWN: Final = "The reply failed. See the log."

Keep = Callable[[History], Awaitable[None]]


def timestamp() -> str:
    """Now, the way conversations have it."""
    return datetime.now().astimezone().strftime("%b %d, %Y %H:%M")


class RunningReply:
    """`base` is the conversation whose last row gets the reply. `keep` stores a conversation; it is called about once a
    second while the reply comes, and at its end. `is_shown_at_once` says that no pace holds back what there is of it."""

    def __init__(self, base: History, begun_with: ReplyDraft, keep: Keep) -> None:
        self._base = base
        self._begun_with = begun_with
        self._drafting = Drafting(begun_with)
        self._keep = keep
        self._changed = asyncio.Event()
        self._answers: dict[str, asyncio.Future[Approval]] = {}
        self._stamp = timestamp()
        self.error: str | None = None
        self.is_done = False
        self.is_over = False
        self.is_stopped = False
        self.is_shown_at_once = False

    @property
    def draft(self) -> ReplyDraft:
        return self._drafting.draft

    @property
    def has_begun(self) -> bool:
        """Whether the model has given a sign of life."""
        return bool(self.draft.model) and self.draft is not self._begun_with

    @property
    def known_words(self) -> int:
        """How many letters of the draft's words it began with."""
        known = self._begun_with.content
        return len(known) if self.draft.content.startswith(known) else 0

    @property
    def probabilities(self) -> str:
        """Of its tokens, packed."""
        return self._drafting.probabilities

    @property
    def base(self) -> History:
        return self._base

    def change(self, act: Callable[[History], History]) -> None:
        """What `act` does to the conversation, but not to its messages."""
        self._base = act(self._base)

    @property
    def history(self) -> History:
        """The conversation with as much of the reply as there is."""
        draft = self.draft
        if not draft.text and not draft.tool_messages:
            return self._without_words
        return session.with_reply(
            self._base,
            draft.text,
            visible=None if draft.visible is None else html.escape(joined(draft.reasoning, draft.visible)),
            model=draft.model,
            tool_messages=draft.tool_messages,
            timestamp=self._stamp,
            tokens=draft.tokens,
            seconds=draft.seconds,
            outcome=self._outcome,
            probabilities=self.probabilities,
            lore=draft.lore,
        )

    @property
    def _without_words(self) -> History:
        """A failure is told of where the reply would stand."""
        if not self.is_done:
            return self._base
        before = session.without_empty_reply(self._base)
        if self.error is None:
            return before
        if before.rows[-1].assistant.text:
            return session.with_failure(before, self.error)
        return session.with_reply(self._base, "", timestamp=self._stamp, outcome=self._outcome)

    @property
    def _outcome(self) -> Outcome:
        outcome = self.draft.outcome
        if self.error is not None:
            return replace(outcome, finish="", failure=self.error)
        is_cut = self.is_done and outcome.finish in {"", "incomplete"}
        return replace(outcome, finish="stopped") if is_cut or self.is_stopped else outcome

    async def run(self, events: AsyncGenerator[LoopEvent, None]) -> None:
        """Takes in `events` to their end. What goes wrong is told by `error`."""
        saving = asyncio.create_task(self._autosave())
        try:
            async with aclosing(events):
                async for event in events:
                    self._drafting.add(event)
                    self._wake()
        except ServiceError as error:
            self.error = error.message
        except Exception:  # noqa: BLE001 - the page tells of it, and the log
            _log.exception("a reply on the page failed")
            self.error = BROKE_DOWN
        finally:
            saving.cancel()
            await asyncio.wait([saving])
            self.is_done = True
            await asyncio.shield(self._keep(self.history))
            self._wake()

    async def frames(self) -> AsyncGenerator[ReplyDraft, None]:
        """The draft whenever it has changed, a few times a second at most, until the reply is over."""
        shown: ReplyDraft | None = None
        while not self.is_over:
            changed = self._changed
            if self.draft is not shown:
                shown = self.draft
                yield shown
                await asyncio.sleep(1 / FRAMES_A_SECOND)
            else:
                await changed.wait()

    def finish(self) -> None:
        """The reply is done, and kept; the chat is free for another one."""
        self.is_over = True
        self._wake()

    async def approval(self, call: ToolCall) -> Approval:
        """Waits for the user's word about `call`."""
        answer: asyncio.Future[Approval] = asyncio.get_running_loop().create_future()
        self._answers[call.id] = answer
        try:
            return await answer
        finally:
            del self._answers[call.id]

    def decide(self, approval: Approval) -> None:
        """The user's word about the call that waits for it, if one does."""
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result(approval)

    async def _autosave(self) -> None:
        saved = self.draft
        while True:
            await asyncio.sleep(AUTOSAVE_SECONDS)
            if self.draft is not saved:
                saved = self.draft
                await self._keep(self.history)

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
