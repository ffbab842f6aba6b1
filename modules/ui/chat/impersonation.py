"""Writes the user's next message in the user's place."""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.chat.session import session
from modules.errors import ServiceError
from modules.events import Content
from modules.requests import CompletionRequest, Limits
from modules.ui.chat.choices import ChatSwitches
from modules.ui.chat.layout.conversation import ConversationParts
from modules.ui.chat.screen import ChatScreen
from modules.ui.page.page import Page, failure
from modules.ui.replies.requests import chat_request, sampling, user_of
from modules.ui.replies.tab_state import ChatTab

# A message that a user would write; what is longer is the model answering itself.
_MAX_TOKENS: Final = 300
# By which scripts know the box whose Stop is not that of a reply.
_FILLED_IN: Final = "is-filled-in"


class Impersonation:
    def __init__(self, page: Page, middle: ConversationParts, screen: ChatScreen) -> None:
        self._page = page
        self._middle = middle
        self._screen = screen

    async def write(self, entered: Mapping[Component, Any]) -> AsyncGenerator[object, None]:
        """What is in the box already is the beginning; yields the box as it fills. Another chat that is chosen ends it."""
        choices = entered[self._middle.choices]
        assert isinstance(choices, ChatSwitches)
        choice, owner = choices.current, f"page:impersonate:{secrets.token_hex(4)}"
        begun = str((entered[self._middle.composer.box] or {}).get("text") or "")
        begins = {"stop_btn": True, "submit_btn": False, "elem_classes": [_FILLED_IN]}
        choices.impersonator, failed = owner, None
        try:
            # What yields nothing at all would leave the box without a value.
            yield gr.MultimodalTextbox(value={"text": begun, "files": []}, **begins)
            words = begun
            request = await self._request(entered, begun)
            async with aclosing(self._page.runtime.chat.complete(request, owner=owner)) as events:
                async for event in events:
                    if not choice.is_latest or choices.impersonator != owner:
                        break
                    if isinstance(event, Content):
                        words += event.text
                        yield gr.MultimodalTextbox(value={"text": words.lstrip(), "files": []})
        except ServiceError as error:
            failed = failure(error.message)
        finally:
            choices.impersonator = ""
        if choice.is_latest:
            tab = choices.now(self._middle.tab, entered[self._middle.tab])
            is_running = isinstance(tab, ChatTab) and self._page.active_replies.running(tab) is not None
            yield gr.MultimodalTextbox(stop_btn=is_running, submit_btn=not is_running, elem_classes=[])
        else:
            yield gr.MultimodalTextbox(elem_classes=[])
        if failed is not None:
            raise failed

    async def _request(self, entered: Mapping[Component, Any], begun: str) -> CompletionRequest:
        """The conversation as the model reads it, cut where the user's words would begin."""
        settings = self._page.saved_settings.remember(self._page.inputs.values(entered))
        history = await self._screen.history(await self._screen.tab(entered, settings), settings)
        mark = f"mark{secrets.token_hex(8)}"
        user = await asyncio.to_thread(user_of, self._page.runtime.library.users, history, settings)
        request = chat_request(settings, session.with_message(history, mark), user)
        before, _, after = (await self._page.runtime.chat.render(request)).partition(mark)
        # Where the turn ends in the template, the words end.
        end = after.strip().splitlines()[0] if after.strip() else ""
        return CompletionRequest(
            model=None,
            prompts=(before + begun,),
            sampling=sampling(settings),
            limits=Limits(max_tokens=min(settings.max_new_tokens, _MAX_TOKENS), stop=(end,) if end else ()),
        )
