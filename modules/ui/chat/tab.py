"""The chat: which event of which of its components does what."""

import asyncio
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.components import Component

from modules.errors import ServiceError
from modules.requests import Mode
from modules.settings.values import Settings
from modules.ui.chat.branches.branch_events import BranchEvents
from modules.ui.chat.branches.informing import InfoHandlers
from modules.ui.chat.chat_list import ChatListHandlers
from modules.ui.chat.choices import ChatSwitches
from modules.ui.chat.editing import EditHandlers, Entered
from modules.ui.chat.impersonation import Impersonation
from modules.ui.chat.layout.parts import ChatParts
from modules.ui.chat.meter import Meter
from modules.ui.chat.model import ModelGate
from modules.ui.chat.replies import ReplyHandlers
from modules.ui.chat.screen import ChatScreen, Shown, merged
from modules.ui.chat.starters import starter
from modules.ui.chat.using import UsesHandlers
from modules.ui.knowledge.chat import ChatKnowledge
from modules.ui.knowledge.uses import ShownUses
from modules.ui.page.page import Page
from modules.ui.replies.naming import ChatNaming
from modules.ui.replies.tab_state import ChatTab
from modules.ui.shell.internals import current_page, sent_data

_QUIET = {"show_progress": "hidden", "api_visibility": "private"}
# A starter is there to be changed.
_TO_BOX = "() => document.querySelector('#box textarea')?.focus()"
# A tab that is reloaded says which chat it has shown.
_KEPT_PLACE = "(choices) => [choices, window.openingPlace()]"


def connect_chat(page: Page, parts: ChatParts) -> None:
    """Once all of the page is built: events need to know every component that stands for a setting."""
    page.on_ready(lambda: _Wiring(page, parts).connect(parts.tab))


class _Wiring:
    def __init__(self, page: Page, parts: ChatParts) -> None:
        chats, middle = parts.left, parts.middle
        self._page = page
        self._chats = chats
        self._middle = middle
        self._right = parts.right
        self._tool_parts = parts.tools
        self._removed = parts.removed
        self._branches = parts.branches
        self._info = parts.info
        uses = ShownUses(page, parts.tools.uses, parts.right.user)
        self._screen = ChatScreen(page, middle, chats, uses)
        self._gate = ModelGate(page, middle.composer.gate)
        self._replies = ReplyHandlers(page, middle, self._screen, self._gate)
        self._edits = EditHandlers(page, middle, self._screen)
        self._list = ChatListHandlers(page, parts, self._screen, self._replies)
        naming = ChatNaming(page.runtime, page.list_changes, lambda: page.settings.name_chats)
        page.active_replies.when_complete(naming.name)
        self._entered = {middle.tab, middle.choices, middle.place, middle.composer.box, *page.inputs.components}
        self._outputs = [
            middle.tab,
            middle.place,
            middle.chat,
            middle.live,
            middle.composer.box,
            middle.bridge,
            middle.composer.meter,
            chats.chats,
            chats.undo,
            parts.removed,
            *middle.composer.gate.outputs,
            *middle.composer.notice.outputs,
            *uses.outputs,
        ]

    def connect(self, tab: gr.Tab) -> None:
        settings, tools = self._page.inputs.components, self._tool_parts.chosen
        self._page.fill_in(self._filled, [*settings - {tools}])
        ChatKnowledge(self._page, self._middle.knowledge).connect(self._middle.tab)
        UsesHandlers(self._page, self._middle, self._screen, self._tool_parts.uses, self._right.user).connect()
        self._page.on_open(self._tools, [tools])
        following = self._connect_replies()
        self._connect_shelf(following)
        self._connect_acts()
        self._connect_controls(following)
        self._connect_gate(tab)
        self._screen.notice.connect()

    def _connect_gate(self, tab: gr.Tab) -> None:
        gate, parts = self._gate, self._middle.composer.gate
        self._page.fill_in(gate.filled, parts.outputs)
        tab.select(gate.looked, None, parts.outputs, **_QUIET)
        returned = [*self._middle.composer.notice.outputs, self._tool_parts.uses.collections]
        tab.select(self._screen.returned, [self._middle.tab], returned, **_QUIET)
        parts.gate.submit(gate.waited, None, parts.outputs, **_QUIET)
        middle = self._middle
        self._page.on_model_change(gate.filled, parts.outputs)
        self._page.on_model_change(self._screen.noticed, middle.composer.notice.outputs, [middle.tab])
        self._page.on_model_choice(self._model_chosen, [middle.tab, middle.place], [middle.tab, middle.choices])

    def _connect_replies(self) -> list[Any]:
        """Returns the events that follow replies; whatever shows another chat ends them, but not the replies."""
        middle, replies, entered, outputs = self._middle, self._replies, self._entered, self._outputs
        impersonation = Impersonation(self._page, middle, self._screen)
        following = [
            middle.composer.box.submit(replies.send, entered, outputs, **_QUIET),
            middle.composer.regenerate.click(replies.regenerate, entered, outputs, **_QUIET),
            middle.chat.retry(replies.regenerate, entered, outputs, **_QUIET),
            middle.composer.resend.submit(replies.resend, entered, outputs, **_QUIET),
            middle.composer.go_on.click(replies.go_on, entered, outputs, **_QUIET),
            *BranchEvents(self._page, self._branches, self._screen, replies).connect(middle, entered, outputs),
            gr.on(
                [current_page().load],
                self._list.first,
                [middle.choices, middle.place],
                [each for each in outputs if each is not self._screen.uses.persona],
                js=_KEPT_PLACE,
                **_QUIET,
            ),
        ]
        middle.composer.impersonate.click(impersonation.write, entered, [middle.composer.box], **_QUIET)
        middle.composer.box.stop(replies.stop_writing, [middle.tab, middle.choices], None, **_QUIET)
        middle.live.option_select(replies.decide, [middle.tab], None, **_QUIET)
        return following

    def _connect_shelf(self, following: list[Any]) -> None:
        chats, chat_list, right, outputs = self._chats, self._list, self._right, self._outputs
        entered, ends = {*self._entered, self._removed, chats.taken}, {**_QUIET, "cancels": following}
        opened = chats.chats.select(chat_list.open, entered, outputs, trigger_mode="multiple", **ends)
        ends["cancels"] = [*following, opened]
        chats.new.click(chat_list.new, entered, outputs, **ends)
        chats.incognito.click(chat_list.incognito, entered, outputs, **ends)
        chats.chats.copy(chat_list.copy, entered, outputs, **ends)
        chats.chats.delete(chat_list.delete, entered, outputs, **ends)
        # That of another chat leaves the reply that is followed alone.
        chats.chats.clear(chat_list.delete, entered, outputs, trigger_mode="multiple", **_QUIET)
        chats.chats.submit(chat_list.rename, entered, outputs, trigger_mode="multiple", **_QUIET)
        chats.undo.click(chat_list.undo, entered, outputs, **ends)
        chats.taken.upload(chat_list.take_in, entered, outputs, **ends)
        here = {self._middle.tab, self._middle.choices, self._middle.place}
        saved = chats.chats.download(chat_list.save_as, here, [chats.saved], **_QUIET)
        saved.success(None, None, None, js="() => window.fetchFile('chat-file')", **_QUIET)
        # One event for both, so that the choice that was made last is the one that counts.
        moves = [right.mode.input, right.character.input]
        gr.on(moves, chat_list.elsewhere, entered, outputs, trigger_mode="always_last", **ends)

    def _connect_acts(self) -> None:
        middle, edits, entered, outputs = self._middle, self._edits, self._entered, self._outputs
        middle.chat.example_select(starter, None, [middle.composer.box], **_QUIET).success(
            None, None, None, js=_TO_BOX, **_QUIET
        )
        middle.chat.edit(edits.edit, entered, outputs, **_QUIET)
        middle.bridge.submit(self._acted, entered, outputs, trigger_mode="multiple", **_QUIET)
        middle.composer.remove.click(edits.remove_last, entered, outputs, **_QUIET)
        middle.chat.undo(edits.remove_last, entered, outputs, **_QUIET)
        middle.composer.dummy_message.click(edits.dummy_message, entered, outputs, **_QUIET)
        middle.composer.dummy_reply.click(edits.dummy_reply, entered, outputs, **_QUIET)
        middle.composer.count.click(edits.count, entered, None, **_QUIET)
        self._connect_info()
        meter = middle.composer.meter
        meter.submit(
            Meter(self._page, middle, self._screen).counted, entered, [meter], trigger_mode="always_last", **_QUIET
        )

    def _connect_info(self) -> None:
        middle, bridge = self._middle, self._info.bridge
        info, seen = (
            InfoHandlers(self._page, self._info, middle, self._screen),
            {middle.tab, middle.choices, middle.place},
        )
        bridge.submit(info.look, seen, [bridge], trigger_mode="always_last", **_QUIET)
        bridge.download(info.prompt, seen, [bridge], **_QUIET)
        bridge.select(self._edits.show_branch, self._entered, self._outputs, **_QUIET)

    def _connect_controls(self, following: list[Any]) -> None:
        right, tools = self._right, self._tool_parts
        choices: list[Component] = [right.character, right.user, right.thinking, right.effort, tools.chosen]
        entered = {right.mode, right.character, right.user, tools.chosen, right.thinking, right.effort}
        right.mode.input(
            self._who_speaks, {right.mode}, [right.character, right.user], trigger_mode="always_last", **_QUIET
        )
        servers = {self._page.inputs["mcp_servers"]} if "mcp_servers" in self._page.inputs else set()
        tools.refresh.click(self._looked_again, entered | servers, choices, **_QUIET)

    async def _model_chosen(self, tab: ChatTab, choices: ChatSwitches, event: gr.EventData) -> Shown:
        """For the chat that is shown, and for new ones."""
        name = str(sent_data(event).get("name") or "")
        if not self._page.settings.multi_user:
            self._page.chosen_model = name
        if choices.pending is not None:
            return {}
        shown = choices.now(self._middle.tab, tab)
        assert isinstance(shown, ChatTab)
        return self._screen.at(replace(shown, model=name))

    async def _acted(self, entered: Entered, event: gr.EventData) -> Shown:
        """What the page's script asks for."""
        return await self._edits.act(entered, sent_data(event))

    async def _looked_again(self, entered: Entered) -> Shown:
        settings = self._page.saved_settings.remember(self._page.inputs.values(entered))
        if not settings.multi_user:
            self._page.tools.use_mcp_servers(settings.mcp_servers)
        await self._page.tools.available(retry=True)
        settings = self._page.saved_settings.checked(self._page.inputs.values(entered))
        return {**await self._choices(settings), self._tool_parts.chosen: await self._tool_choices(settings)}

    async def _who_speaks(self, entered: Entered) -> Shown:
        """Nothing but what can be seen: a choice that is made meanwhile stays."""
        speaks = Mode(entered[self._right.mode]) is not Mode.INSTRUCT
        return {self._right.character: gr.Dropdown(visible=speaks), self._right.user: gr.Dropdown(visible=speaks)}

    async def _filled(self) -> Shown:
        """What was entered last, and what there is to choose from. Tools may have to be asked for, which takes time."""
        settings = self._page.settings
        shown = merged(self._page.inputs.shown(settings), await self._choices(settings))
        del shown[self._tool_parts.chosen]
        persona = await self._screen.first_persona(settings)
        if persona:
            names = await asyncio.to_thread(self._page.runtime.library.users.names)
            shown[self._right.user] = gr.Dropdown(choices=_with(names, persona), value=persona, visible=True)
        return shown

    async def _tools(self) -> gr.CheckboxGroup:
        return await self._tool_choices(self._page.settings)

    async def _choices(self, settings: Settings) -> Shown:
        """What there is to choose from besides tools, and only what would change something."""
        right, library = self._right, self._page.runtime.library
        characters, users = await asyncio.gather(
            asyncio.to_thread(library.characters.names), asyncio.to_thread(library.users.names)
        )
        speaks = Mode(settings.mode) is not Mode.INSTRUCT
        template = await self._template()
        return {
            right.character: gr.Dropdown(
                choices=_with(characters, settings.character), value=settings.character, visible=speaks
            ),
            right.user: gr.Dropdown(choices=_with(users, settings.user), value=settings.user, visible=speaks),
            right.thinking: gr.Checkbox(value=settings.enable_thinking, visible="thinking" in template),
            right.effort: gr.Dropdown(value=settings.reasoning_effort, visible="reasoning_effort" in template),
        }

    async def _tool_choices(self, settings: Settings) -> gr.CheckboxGroup:
        tools = [tool for tool in await self._page.tools.available() if not tool.problem]
        return gr.CheckboxGroup(
            choices=[(f"{tool.name}: {tool.description}"[:120], tool.name) for tool in tools],
            value=[tool.name for tool in tools if tool.name in settings.selected_tools],
        )

    async def _template(self) -> str:
        card = self._page.runtime.models.state.card
        try:
            return "" if card is None else card.instruction_template or card.chat_template or ""
        except ServiceError:
            return ""


def _with(names: list[str], chosen: str) -> list[str]:
    return names if chosen in names else [chosen, *names]
