"""Events of the panel in which two versions of a reply stand beside each other."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.chat.session import session
from modules.chat.session.uses import uses_of
from modules.chat.tool_events import Approval
from modules.engine.types import ModelKind
from modules.errors import BadRequest, Busy, ServiceError
from modules.library.chats.history import ChatTurn, History, Row, Side, chosen
from modules.library.presets import PRESET_KEYS
from modules.sampling import Sampling
from modules.settings.values import Settings
from modules.ui.branches.compare import (
    MODEL,
    PRESET,
    CompareParts,
    CompareSide,
    again_choices,
    version_choices,
)
from modules.ui.chat.replies import ReplyHandlers
from modules.ui.chat.screen import ChatScreen, Shown, merged
from modules.ui.chat.view import APPROVALS, failed_message, live_messages
from modules.ui.page.page import Page, failure, notify_errors
from modules.ui.replies.allowed import allowed_tools
from modules.ui.replies.marks import Part
from modules.ui.replies.requests import chat_request, user_of
from modules.ui.replies.running import RunningReply
from modules.ui.replies.tab_state import ChatTab
from modules.ui.replies.versions import FurtherVersion, RunningVersions
from modules.ui.shell.internals import sent_data

Entered = Mapping[Component, Any]

_NOTHING: Final = "There is no reply to compare yet. Write a message first."
_WRITING: Final = "A version is still being written. Wait for it, or stop it."
_EMPTY: Final = "There is no version on this side. Regenerate the reply first."
_APPROVALS: Final = dict(zip(APPROVALS, (Approval.ONCE, Approval.ALWAYS, Approval.REJECT), strict=True))
_NEUTRAL: Final = Sampling()


class CompareHandlers:
    def __init__(self, page: Page, parts: CompareParts, screen: ChatScreen, replies: ReplyHandlers) -> None:
        self._page = page
        self._parts = parts
        self._screen = screen
        self._replies = replies

    async def open(self, entered: Entered, event: gr.EventData) -> Shown:
        """The reply that the page's script names, or else the last one: as it is, and its other newest version."""
        return await notify_errors(self._opened(entered, sent_data(event).get("index")))

    async def choose(self, entered: Entered, side: CompareSide) -> Shown:
        return await notify_errors(self._chosen(entered, side))

    async def again(self, entered: Entered, event: gr.EventData) -> AsyncGenerator[Shown, None]:
        """A further version, written on the side that the page's script names while the other may get one, too."""
        asked = sent_data(event)
        side = self._parts.sides[asked.get("side") == 1]
        try:
            async with aclosing(self._again(entered, side, str(asked.get("choice") or ""))) as steps:
                async for shown in steps:
                    yield shown
        except ServiceError as error:
            raise failure(error.message) from None

    async def use(self, entered: Entered, side: CompareSide) -> Shown:
        """The version of this side is the one that counts from now on."""
        return await notify_errors(self._used(entered, side))

    def decider(self, side: CompareSide) -> Callable[[Entered, gr.SelectData], Awaitable[None]]:
        """Handles the user's word about a call that waits on this side. Gradio finds no event in a `partial`."""

        async def decide(entered: Entered, event: gr.SelectData) -> None:
            running = self._page.active_replies.running(await self._screen.tab(entered, self._page.settings))
            if isinstance(running, RunningVersions) and event.value in _APPROVALS:
                running.decide_on(self._place(side), _APPROVALS[event.value])

        return decide

    async def close(self, entered: Entered) -> Shown:
        """The conversation again, with the versions that it has by now."""
        tab = await notify_errors(self._screen.tab(entered, self._page.settings))
        history = await self._screen.history(tab, self._page.settings)
        is_writing = isinstance(self._page.active_replies.running(tab), RunningReply)
        return {**({} if is_writing else await self._screen.shown(tab, history)), **self._closed()}

    def _closed(self) -> Shown:
        return {self._parts.panel: gr.Column(visible=False)}

    async def _opened(self, entered: Entered, index: object) -> Shown:
        tab, history = await self._seen(entered)
        row = self._row(tab, history, index)
        turn = history.rows[row].assistant
        last = len(session.versions_of(turn)) - 1
        other = (last if turn.version != last else last - 1) if last else None
        choices = again_choices(await self._models(), await asyncio.to_thread(self._presets))
        shown: Shown = {
            self._parts.bridge: choices,
            self._parts.panel: gr.Column(visible=True),
            self._parts.row: row,
            self._parts.stop: gr.Button(visible=self._is_running(tab)),
        }
        for side, number in zip(self._parts.sides, (turn.version, other), strict=True):
            shown |= await self._on_side(side, turn, number)
        return shown

    async def _chosen(self, entered: Entered, side: CompareSide) -> Shown:
        _, history = await self._seen(entered)
        number = str(entered[side.versions] or "")
        turn = self._turn(history, entered)
        return await self._on_side(side, turn, int(number) if number.isdecimal() else None)

    async def _used(self, entered: Entered, side: CompareSide) -> Shown:
        tab, history = await self._seen(entered)
        if self._page.active_replies.running(tab) is not None:
            raise Busy(_WRITING)
        number, row = entered[side.shown], entered[self._parts.row]
        self._turn(history, entered)
        if number is None:
            raise BadRequest(_EMPTY)
        history = session.with_version(history, row, Side.ASSISTANT, number)
        tab = await self._page.active_replies.keep(tab, history)
        shown = await self._screen.shown(tab, history)
        return merged(shown, await self._screen.listed(tab, self._page.settings), self._closed())

    async def _again(self, entered: Entered, side: CompareSide, choice: str) -> AsyncGenerator[Shown, None]:
        settings, tab, history = await self._replies.begun_seen(entered)
        row = entered[self._parts.row]
        self._turn(history, entered)
        way = await self._way(settings, choice)
        earlier = replace(history, rows=(*history.rows[:row], Row(user=history.rows[row].user)))
        user = await asyncio.to_thread(user_of, self._page.runtime.library.users, history, settings)
        tools, confirms = await allowed_tools(self._page.tools, settings, is_kept=tab.is_kept)
        request = self._replies.scored(replace(chat_request(way.settings, earlier, user, tools=tools), model=way.model))
        versions, reply = self._page.active_replies.start_version(
            tab,
            history,
            FurtherVersion(row, self._place(side), way.note),
            request,
            confirms=confirms,
            collections=uses_of(history).knowledge,
        )
        yield {side.versions: None, side.shown: None, self._parts.stop: gr.Button(visible=True)}
        async with aclosing(reply.frames()) as frames:
            async for draft in frames:
                yield {side.view: live_messages(draft)}
        yield await self._written(tab, versions, reply, side)

    async def _written(self, tab: ChatTab, versions: RunningVersions, reply: RunningReply, side: CompareSide) -> Shown:
        history = versions.history
        turn = history.rows[versions.row].assistant
        shown: Shown = {self._parts.stop: gr.Button(visible=versions.is_writing)}
        if versions.has_written(reply):
            shown |= await self._on_side(side, turn, versions.index_of(reply))
        if reply.error is not None:
            shown[side.view] = [*shown.get(side.view, []), failed_message(reply.error)]
        other = self._parts.sides[1 - self._parts.sides.index(side)]
        if not versions.is_writing:
            shown[other.versions] = gr.Dropdown(choices=version_choices(turn))
        return shown | ({} if tab.is_kept else self._screen.at(replace(tab, history=history)))

    async def _on_side(self, side: CompareSide, turn: ChatTurn, number: int | None) -> Shown:
        count = len(session.versions_of(turn))
        number = number if number is not None and 0 <= number < count else None
        is_used = number == turn.version
        return {
            side.shown: number,
            side.versions: gr.Dropdown(choices=version_choices(turn), value=None if number is None else str(number)),
            side.use: gr.Button("In use" if is_used else "Use this", interactive=number is not None and not is_used),
            side.view: [] if number is None else await self._screen.messages(chosen(turn, number)),
        }

    async def _seen(self, entered: Entered) -> tuple[ChatTab, History]:
        tab = await self._screen.seen_tab(entered, self._page.settings)
        return tab, await self._screen.history(tab, self._page.settings)

    def _row(self, tab: ChatTab, history: History, index: object) -> int:
        """Raises BadRequest where there is no reply of that number, or none at all."""
        fact = tab.marks.fact(index, history) if tab.marks is not None and index is not None else None
        if fact is not None and fact.side is Side.ASSISTANT and fact.part is Part.TEXT:
            return fact.row
        rows = [number for number, row in enumerate(history.rows) if row.assistant.text and not row.is_greeting]
        if index is not None or not rows:
            raise BadRequest(_NOTHING)
        return rows[-1]

    def _turn(self, history: History, entered: Entered) -> ChatTurn:
        """Raises BadRequest where the chat is another one by now."""
        return session.turn_at(history, entered[self._parts.row], Side.ASSISTANT)

    def _is_running(self, tab: ChatTab) -> bool:
        return self._page.active_replies.running(tab) is not None

    def _place(self, side: CompareSide) -> int:
        return self._parts.sides.index(side)

    async def _models(self) -> list[str]:
        """Of this machine and of the servers that offer some."""
        if self._page.settings.multi_user:
            return []
        models, remote = self._page.runtime.models, self._page.runtime.remote
        names = await asyncio.to_thread(models.list_models)
        lists = await asyncio.gather(*(source.list_cards() for source in remote.values()))
        local = [name for name in names if models.kind_of(name) is ModelKind.CHAT]
        return [*local, *(card.model.name for cards in lists for card in cards)]

    def _presets(self) -> list[str]:
        return self._page.runtime.library.presets.names()

    async def _way(self, settings: Settings, choice: str) -> "_Way":
        if choice.startswith(MODEL):
            return _Way(settings, model=choice.removeprefix(MODEL))
        if not choice.startswith(PRESET):
            return _Way(settings)
        name = choice.removeprefix(PRESET)
        values = await asyncio.to_thread(self._page.runtime.library.presets.read, name)
        neutral = {key: getattr(_NEUTRAL, key) for key in PRESET_KEYS}
        return _Way(settings.with_changes({**neutral, **values}), note=name)


@dataclass(frozen=True, slots=True)
class _Way:
    """How a version is written: with these settings, by that model; `note` names the preset."""

    settings: Settings
    model: str | None = None
    note: str = ""
