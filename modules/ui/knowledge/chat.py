"""Knowledge in a chat: names of collections for the message box, and passages that citations open."""

import json
from dataclasses import dataclass
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.chat.citations import citations_of
from modules.errors import ServiceError
from modules.ui.page.page import Page
from modules.ui.replies.tab_state import ChatTab
from modules.ui.shell.internals import sent_data

_BRIDGE: Final = """
window.knowledge.connect((act) => trigger('submit', act), () => props.value);
watch('value', () => window.knowledge.apply(props.value));
"""
_GONE: Final = "This passage is no longer part of the chat."


@dataclass(frozen=True, slots=True)
class ChatKnowledge:
    """`bridge` is what the page's script and the server say to each other."""

    page: Page
    bridge: gr.HTML

    def connect(self, tab: gr.State) -> None:
        self.page.fill_in(self.filled, [self.bridge])
        self.bridge.submit(
            self._answer,
            [tab],
            [self.bridge],
            show_progress="hidden",
            api_visibility="private",
            trigger_mode="multiple",
        )

    async def filled(self) -> dict[Component, Any]:
        return {self.bridge: json.dumps({"names": await self.page.runtime.knowledge.names()})}

    async def _answer(self, tab: ChatTab, event: gr.EventData) -> str:
        """The names of all collections, and the passage of the number that was asked for."""
        asked = sent_data(event)
        answer: dict[str, Any] = {"names": await self.page.runtime.knowledge.names()}
        if isinstance(asked, dict) and isinstance(number := asked.get("cite"), int):
            answer |= {"asked": asked.get("at"), **await self._passage(tab, number)}
        return json.dumps(answer)

    async def _passage(self, tab: ChatTab, number: int) -> dict[str, object]:
        try:
            citation = citations_of(await self.page.active_replies.history(tab)).get(number)
        except ServiceError as error:
            return {"number": number, "problem": error.message}
        if citation is None:
            return {"number": number, "problem": _GONE}
        # Addresses of web pages alone become links.
        url = citation.url if citation.url.startswith(("https://", "http://")) else ""
        return {
            "number": number,
            "place": citation.place,
            "heading": citation.heading,
            "text": citation.text,
            "url": url,
        }


def knowledge_bridge() -> gr.HTML:
    """To be called where the page is drawn from the start: the script looks at it."""
    return gr.HTML('{"names": []}', html_template="", js_on_load=_BRIDGE, elem_id="knowledge-bridge")
