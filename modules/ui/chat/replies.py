"""Events of the Chat tab that lead to a reply: sending, regenerating, continuing, following."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.chat.attachments.attachments import read_attachment
from modules.chat.session import session
from modules.chat.session.uses import takes_memory, uses_of, with_memory
from modules.chat.tool_events import Approval
from modules.chatmodels.base import Operation
from modules.engine.media import unreadable
from modules.engine.types import MediaKind
from modules.errors import BadRequest, ServiceError
from modules.library.chats.history import Attachment, History, Side, last_model
from modules.library.knowledge.passages import token_estimate
from modules.requests import ChatRequest
from modules.settings.values import Settings
from modules.ui.chat.choices import ChatSwitch, ChatSwitches, Pending
from modules.ui.chat.layout.conversation import ConversationParts
from modules.ui.chat.model import ModelGate
from modules.ui.chat.screen import ChatScreen, OtherChatOpens, Shown, merged
from modules.ui.chat.view import APPROVALS, live_messages
from modules.ui.page.escape import as_written
from modules.ui.page.page import Page, failure
from modules.ui.replies.allowed import allowed_tools
from modules.ui.replies.draft import ReplyDraft, divided
from modules.ui.replies.figures import live_text
from modules.ui.replies.marks import ChangedElsewhere
from modules.ui.replies.requests import chat_request, user_of
from modules.ui.replies.running import RunningReply, timestamp
from modules.ui.replies.tab_state import ChatTab
from modules.ui.replies.versions import RunningVersions
from modules.ui.shell.internals import sent_data

Entered = Mapping[Component, Any]

_APPROVALS: Final = dict(zip(APPROVALS, (Approval.ONCE, Approval.ALWAYS, Approval.REJECT), strict=True))
# Each becomes part of the prompt.
_MAX_FILES: Final = 20
_NOTHING_TO_CONTINUE: Final = "There is no reply to continue yet."
# Of a text, so much is tokenized to know how many tokens all of it has.
_SAMPLE: Final = 2_000
_SHORT: Final = 16
_NOTHING_TO_SAY: Final = "Write a message first."


class ReplyHandlers:
    """Every handler gets what has been entered, by component, and yields values for components."""

    def __init__(self, page: Page, middle: ConversationParts, screen: ChatScreen, gate: ModelGate) -> None:
        self._page = page
        self._gate = gate
        self._middle = middle
        self._screen = screen

    async def send(self, entered: Entered) -> AsyncGenerator[Shown, None]:
        """The message in the box, then the reply to it. A box that is empty asks for the reply that is missing."""
        box = entered[self._middle.composer.box] or {}
        is_message = bool(str(box.get("text") or "").strip() or box.get("files"))
        if not self._gate.is_open:
            yield self._gate.refused(waits=is_message)
            return
        pending = entered[self._middle.choices].pending
        choice = self._screen.begin(entered) if is_message or pending is None else self._begin_seen(entered)
        choice.leads_to(pending)
        try:
            async with aclosing(self._answering(choice, self._send(entered, pending))) as steps:
                async for shown in steps:
                    yield shown
        except ServiceError as error:
            if pending is not None and choice.is_latest:
                yield await self._opened(await pending(), self._page.settings)
            raise failure(error.message) from None

    async def regenerate(self, entered: Entered) -> AsyncGenerator[Shown, None]:
        self._refuse_busy(entered)
        async with aclosing(self.told(entered, self._regenerate(entered))) as steps:
            async for shown in steps:
                yield shown

    async def resend(self, entered: Entered, event: gr.EventData) -> AsyncGenerator[Shown, None]:
        """A message with other words, then the reply to it. What followed it is kept with the words before."""
        self._refuse_busy(entered)
        async with aclosing(self.told(entered, self._resend(entered, sent_data(event)))) as steps:
            async for shown in steps:
                yield shown

    async def go_on(self, entered: Entered) -> AsyncGenerator[Shown, None]:
        self._refuse_busy(entered)
        async with aclosing(self.told(entered, self._go_on(entered))) as steps:
            async for shown in steps:
                yield shown

    def _refuse_busy(self, entered: Entered) -> None:
        """Before the event counts as the one that shows the chat: the reply that is written goes on being shown."""
        tab = entered[self._middle.choices].now(self._middle.tab, entered[self._middle.tab])
        try:
            self._page.active_replies.check_free(tab)
        except ServiceError as error:
            raise failure(error.message) from None

    async def stop(self, tab: ChatTab) -> None:
        self._page.active_replies.stop(tab)

    async def stop_writing(self, tab: ChatTab, choices: ChatSwitches) -> None:
        """What is written in the user's place, or else the reply."""
        owner, choices.impersonator = choices.impersonator, ""
        if owner:
            self._page.runtime.work.stop(owner)
        else:
            await self.stop(tab)

    async def decide(self, tab: ChatTab, event: gr.SelectData) -> None:
        """The user's word about a call that waits."""
        reply = self._page.active_replies.running(tab)
        if reply is not None and event.value in _APPROVALS:
            reply.decide(_APPROVALS[event.value])

    async def follow(
        self, tab: ChatTab, reply: RunningReply | RunningVersions, settings: Settings
    ) -> AsyncGenerator[Shown, None]:
        """The reply as it comes, then the conversation with it."""
        if isinstance(reply, RunningVersions):
            async with aclosing(self._until_over(tab, reply, settings)) as steps:
                async for shown in steps:
                    yield shown
            return
        shown = await self._screen.shown(tab, reply.history, is_running=True)
        yield merged(shown, await self._screen.listed(tab, settings))
        active, rate = self._page.active_replies, settings.max_tokens_second
        async with aclosing(active.paced(tab, reply, rate) if rate else reply.frames()) as frames:
            told = 0.0
            async for draft in frames:
                if settings.stream or draft.calls:
                    pace: Shown = {}
                    if time.monotonic() - told >= 1:
                        told, pace = time.monotonic(), {self._middle.composer.meter: live_text(draft)}
                    yield {self._middle.live: live_messages(draft), **pace}
        tab = tab if tab.is_kept else replace(tab, history=reply.history)
        yield merged(await self._screen.shown(tab, reply.history), await self._screen.listed(tab, settings))

    async def _until_over(
        self, tab: ChatTab, versions: RunningVersions, settings: Settings
    ) -> AsyncGenerator[Shown, None]:
        """What counts stays as it is; afterwards there is more to choose from."""
        yield await self._screen.shown(tab, versions.history)
        await versions.until_over()
        tab = tab if tab.is_kept else replace(tab, history=versions.history)
        yield merged(await self._screen.shown(tab, versions.history), await self._screen.listed(tab, settings))

    def _begin_seen(self, entered: Entered) -> ChatSwitch:
        """For what is meant for the chat that is shown: another one that is being opened comes first."""
        if entered[self._middle.choices].pending is not None:
            raise failure(OtherChatOpens().message)
        return self._screen.begin(entered)

    async def told(self, entered: Entered, source: AsyncGenerator[Shown, None]) -> AsyncGenerator[Shown, None]:
        """What went wrong by the program's own account is shown to the user as it is. Without a model nothing is begun."""
        if not self._gate.is_open:
            await source.aclose()
            yield self._gate.refused(waits=False)
            return
        choice = self._begin_seen(entered)
        yield {}
        try:
            async with aclosing(self._answering(choice, source)) as steps:
                async for shown in steps:
                    yield shown
        except ServiceError as error:
            raise failure(error.message) from None

    def _answering(self, choice: ChatSwitch, source: AsyncGenerator[Shown, None]) -> AsyncGenerator[Shown, None]:
        """A message that was taken gets its reply, whatever is shown by then."""
        return self._screen.latest(choice, source, goes_on=True)

    async def _opened(self, tab: ChatTab, settings: Settings) -> Shown:
        history = await self._screen.history(tab, settings)
        return merged(await self._screen.shown(tab, history), await self._screen.listed(tab, settings))

    async def _send(self, entered: Entered, pending: Pending | None) -> AsyncGenerator[Shown, None]:
        """`pending` finds the chat that was chosen last, where it is not shown yet: the message goes to that one."""
        yield {}
        settings = self._settings(entered)
        tab, history = await self._begun(
            await (pending() if pending else self._screen.tab(entered, settings)), settings
        )
        box = entered[self._middle.composer.box] or {}
        text, files = str(box.get("text") or ""), list(box.get("files") or ())
        if text.strip() or files:
            # Before anything is saved and the box is emptied: what was written stays in it.
            self._page.active_replies.check_free(tab)
            attachments = await _attached(files)
            self._refuse_unseen(attachments, tab)
            attachments = await self._with_knowledge(history, text, attachments, settings)
            history = await self._with_memory(tab, history, settings)
            history = session.with_message(history, text, attachments=attachments, timestamp=timestamp())
            tab = await self._page.active_replies.keep(await self._screen.named(tab), history)
            yield {self._middle.composer.box: None, **self._screen.at(tab)}
        elif not history.rows or history.rows[-1].is_greeting or history.rows[-1].assistant.text:
            raise BadRequest(_NOTHING_TO_SAY)
        async with aclosing(self._answered(tab, history, settings)) as steps:
            async for shown in steps:
                yield shown

    async def _with_knowledge(
        self, history: History, text: str, attachments: Sequence[Attachment], settings: Settings
    ) -> list[Attachment]:
        """With passages of the user's documents; visitors who are kept apart get none."""
        if settings.multi_user:
            return list(attachments)
        context = await self._estimated_context([*(each.content for each in attachments), text])
        return await self._page.runtime.knowledge_messages.prepared(
            history, text, attachments, collections=uses_of(history).knowledge, context=context
        )

    async def _estimated_context(self, texts: Sequence[str]) -> int | None:
        """How much the context holds of such texts, in tokens as they are estimated; None where no model is known."""
        runtime = self._page.runtime
        card = runtime.models.known_card(None)
        sample = "\n".join(text[:_SAMPLE] for text in texts if text)[: 2 * _SAMPLE]
        if card is None or len(sample) < _SHORT:
            # A short message alone fits however its letters are counted.
            return None if card is None else card.context
        try:
            tokens = len(await runtime.chat.encode(sample))
        except ServiceError:
            return card.context
        return int(card.context * min(1.0, token_estimate(sample) / max(1, tokens)))

    async def _with_memory(self, tab: ChatTab, history: History, settings: Settings) -> History:
        """A chat that begins takes along what is in the memory now; temporary chats and visitors' take nothing."""
        if not tab.is_kept or settings.multi_user or not takes_memory(history):
            return history
        return with_memory(history, await asyncio.to_thread(self._page.runtime.library.memory.text))

    def _refuse_unseen(self, attachments: Sequence[Attachment], tab: ChatTab) -> None:
        """Raises BadRequest for pictures, where the model that will answer runs here and sees none."""
        name = self._page.answering_model(tab.model)
        card = self._page.runtime.models.known_card(name)
        if card is not None and MediaKind.IMAGE not in card.modalities and any(each.is_image for each in attachments):
            raise unreadable(MediaKind.IMAGE, param="attachments")

    async def _regenerate(self, entered: Entered) -> AsyncGenerator[Shown, None]:
        settings, tab, history = await self.begun_seen(entered)
        if _is_changed(tab, history):
            yield await self._as_it_is(tab, history, settings)
            return
        async with aclosing(self._answered(tab, session.begin_regeneration(history), settings)) as steps:
            async for shown in steps:
                yield shown

    async def _resend(self, entered: Entered, asked: Mapping[str, Any]) -> AsyncGenerator[Shown, None]:
        settings, tab, history = await self.begun_seen(entered)
        self._page.active_replies.check_free(tab)
        text = as_written(str(asked.get("text") or ""))
        if "index" not in asked:
            # It has waited for the end of another reply.
            passages = await self._with_knowledge(history, text, [], settings)
            history = session.with_message(history, text, attachments=passages, timestamp=timestamp())
            async with aclosing(self._kept_and_answered(tab, history, settings)) as steps:
                async for shown in steps:
                    yield shown
            return
        try:
            fact = None if tab.marks is None else tab.marks.fact(asked.get("index"), history)
        except ChangedElsewhere:
            yield await self._as_it_is(tab, history, settings)
            return
        if fact is None or fact.side is not Side.USER:
            raise BadRequest("That message is no longer there. Reload the page.")
        if not text.strip() and not session.turn_at(history, fact.row, Side.USER).attachments:
            raise BadRequest(_NOTHING_TO_SAY)
        history = await self._with_further_passages(
            session.resent(history, fact.row, text, timestamp=timestamp()), text, settings
        )
        async with aclosing(self._kept_and_answered(tab, history, settings)) as steps:
            async for shown in steps:
                yield shown

    async def _with_further_passages(self, history: History, text: str, settings: Settings) -> History:
        """The last message with passages for its new text beside those that earlier replies to it cite."""
        last = history.rows[-1]
        added = await self._with_knowledge(history, text, [], settings)
        user = replace(last.user, attachments=(*last.user.attachments, *added))
        return replace(history, rows=(*history.rows[:-1], replace(last, user=user)))

    async def _kept_and_answered(
        self, tab: ChatTab, history: History, settings: Settings
    ) -> AsyncGenerator[Shown, None]:
        tab = await self._page.active_replies.keep(tab, history)
        async with aclosing(self._answered(tab, history, settings)) as steps:
            async for shown in steps:
                yield shown

    async def _go_on(self, entered: Entered) -> AsyncGenerator[Shown, None]:
        settings, tab, history = await self.begun_seen(entered)
        if _is_changed(tab, history):
            yield await self._as_it_is(tab, history, settings)
            return
        turn = history.rows[-1].assistant if history.rows else None
        if turn is None or not turn.text:
            raise BadRequest(_NOTHING_TO_CONTINUE)
        reasoning, content = divided(turn.text)
        draft = ReplyDraft(reasoning=reasoning, content=content, tool_messages=turn.tool_messages, model=turn.model)
        if draft.text == turn.text:
            draft = replace(draft, probabilities=turn.probabilities)
        async with aclosing(self.replied(tab, history, history, settings, begun_with=draft)) as steps:
            async for shown in steps:
                yield shown

    async def _as_it_is(self, tab: ChatTab, history: History, settings: Settings) -> Shown:
        """In place of what was meant for a message that is not the last one any more."""
        gr.Warning(ChangedElsewhere().message)
        return merged(await self._screen.shown(tab, history), await self._screen.listed(tab, settings))

    async def _answered(self, tab: ChatTab, history: History, settings: Settings) -> AsyncGenerator[Shown, None]:
        """A reply from its beginning, or from the one that the user wants replies to have."""
        start = settings.start_with
        asked = session.with_reply(history, start) if start else history
        async with aclosing(self.replied(tab, history, asked, settings, begun_with=ReplyDraft(content=start))) as steps:
            async for shown in steps:
                yield shown

    async def replied(
        self, tab: ChatTab, base: History, asked: History, settings: Settings, *, begun_with: ReplyDraft
    ) -> AsyncGenerator[Shown, None]:
        user = await asyncio.to_thread(user_of, self._page.runtime.library.users, base, settings)
        tools, confirms = await allowed_tools(self._page.tools, settings, is_kept=tab.is_kept)
        model = self._page.answering_model(tab.model or last_model(asked))
        request = chat_request(settings, asked, user, model=model, tools=tools, continues=bool(begun_with.text))
        request = self.scored(request)
        reply = self._page.active_replies.start(
            tab, base, request, begun_with=begun_with, confirms=confirms, collections=uses_of(base).knowledge
        )
        async with aclosing(self.follow(tab, reply, settings)) as steps:
            async for shown in steps:
                yield shown

    def scored(self, request: ChatRequest) -> ChatRequest:
        """Without asking for probabilities where the model has none to give."""
        if request.logprobs is None or self._page.runtime.chat.offers(Operation.LOGPROBS, request.model):
            return request
        gr.Info("This model's probabilities are not known here, so the reply comes without them.")
        return replace(request, logprobs=None)

    def _settings(self, entered: Entered) -> Settings:
        model = self._page.answering_model(entered[self._middle.tab].model)
        return self._page.saved_settings.remember(self._page.inputs.values(entered), model=model)

    async def begun_seen(self, entered: Entered) -> tuple[Settings, ChatTab, History]:
        settings = self._settings(entered)
        return settings, *await self._begun(await self._screen.seen_tab(entered, settings), settings)

    async def _begun(self, known: ChatTab, settings: Settings) -> tuple[ChatTab, History]:
        history = await self._screen.history(known, settings)
        return await self._screen.named(known), history


def _is_changed(tab: ChatTab, history: History) -> bool:
    """Whether the last message is another one than the tab shows."""
    try:
        if tab.marks is not None:
            tab.marks.check_end(history)
    except ChangedElsewhere:
        return True
    return False


async def _attached(files: Sequence[object]) -> list[Attachment]:
    """What Gradio has stored for the box, read. Raises BadRequest for what no model can read."""
    if len(files) > _MAX_FILES:
        raise BadRequest(f"A message can have {_MAX_FILES} files at most.")
    return [await _read(Path(str(file))) for file in files]


async def _read(path: Path) -> Attachment:
    return await read_attachment(path.name, await asyncio.to_thread(path.read_bytes))
