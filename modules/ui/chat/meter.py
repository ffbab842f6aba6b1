"""How full the context is, how fast a reply comes, and what the files beside a message will cost."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from gradio.components import Component

from modules.chat.attachments.attachments import read_attachment
from modules.chat.session import session
from modules.engine.types import MediaKind
from modules.errors import ServiceError
from modules.library.chats.history import Attachment, History
from modules.settings.values import Settings
from modules.ui.chat.layout.conversation import ConversationParts
from modules.ui.chat.screen import ChatScreen, Shown
from modules.ui.page.languages import text
from modules.ui.page.page import Page
from modules.ui.replies.requests import chat_request, user_of

Entered = Mapping[Component, Any]

_BLIND: Final = "The model cannot see pictures. Remove it, or choose a model that can."


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftFile:
    """A file in the message box: what it costs, or why it cannot be sent."""

    name: str
    kind: str
    tokens: int = 0
    problem: str = ""


class Meter:
    """Handlers of the events with which the page's script asks for the size of what is written."""

    def __init__(self, page: Page, middle: ConversationParts, screen: ChatScreen) -> None:
        self._page = page
        self._middle = middle
        self._screen = screen

    async def counted(self, entered: Entered) -> Shown:
        """All that the next request would have; nothing where there is no model to count with."""
        if not self._page.runtime.models.has_model:
            return {}
        settings = self._page.saved_settings.checked(self._page.inputs.values(entered))
        box = entered.get(self._middle.composer.box) or {}
        words, paths = str(box.get("text") or ""), [Path(str(each)) for each in box.get("files") or ()]
        read = [await self._read(path) for path in paths]
        try:
            history = await self._screen.history(await self._screen.tab(entered, settings), settings)
            told = await self._told(settings, history, words, [each for each, _ in read if each is not None])
        except ServiceError:
            return {}
        files = [file for _, file in read]
        return {self._middle.composer.meter: json.dumps({**told, "files": [_stored(file) for file in files]})}

    async def _told(
        self, settings: Settings, history: History, words: str, attachments: Sequence[Attachment]
    ) -> dict[str, object]:
        card = await self._page.runtime.chat.card()
        is_draft = bool(words.strip() or attachments)
        asked = session.with_message(history, words, attachments=attachments) if is_draft else history
        whole = await self._count(settings, asked) if session.messages(asked) else 0
        before = await self._count(settings, history) if is_draft and session.messages(history) else 0
        system = await self._tokens(settings.custom_system_message)
        kept = [each for row in history.rows for each in row.user.attachments]
        sent = sum([await self._tokens(each.content) for each in kept])
        added = sum([await self._tokens(each.content) for each in attachments])
        parts = {
            "System prompt": system,
            "Files": sent + added,
            "Conversation": max(0, (before if is_draft else whole) - system - sent),
            "This message": max(0, whole - before - added) if is_draft else 0,
        }
        return {"used": whole, "context": card.context, "parts": parts, "reply": settings.max_new_tokens}

    async def _count(self, settings: Settings, history: History) -> int:
        user = await asyncio.to_thread(user_of, self._page.runtime.library.users, history, settings)
        return len(await self._page.runtime.chat.encode_chat(chat_request(settings, history, user)))

    async def _tokens(self, words: str) -> int:
        return len(await self._page.runtime.chat.encode(words, add_bos=False)) if words.strip() else 0

    async def _read(self, path: Path) -> tuple[Attachment | None, DraftFile]:
        try:
            read = await read_attachment(path.name, await asyncio.to_thread(path.read_bytes))
        except (ServiceError, OSError) as error:
            problem = error.message if isinstance(error, ServiceError) else text("The file is gone. Attach it again.")
            return None, DraftFile(name=path.name, kind="file-text", problem=problem)
        if not read.is_image:
            return read, DraftFile(name=path.name, kind="file-text", tokens=await self._tokens(read.content))
        card = self._page.runtime.models.state.card
        is_blind = card is not None and MediaKind.IMAGE not in card.modalities
        return None, DraftFile(name=path.name, kind="image", problem=text(_BLIND) if is_blind else "")


def _stored(file: DraftFile) -> dict[str, object]:
    return {"name": file.name, "kind": file.kind, "tokens": file.tokens, "problem": file.problem}
