"""Names that the model gives to new chats: after the first reply, when nobody else waits."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from modules.errors import ServiceError
from modules.events import FinishReason
from modules.library.chats.history import History, Row, is_named
from modules.messages import Role, text_message
from modules.reply.gather import gather
from modules.requests import ChatRequest, Limits
from modules.runtime import Runtime
from modules.sampling import Sampling
from modules.ui.replies.draft import divided
from modules.ui.replies.list_changes import ListChanges
from modules.ui.replies.tab_state import ChatTab

_MAX_TOKENS: Final = 12
# What a conversation is about is said at its beginning.
_MOST_LETTERS: Final = 1000
_LONGEST: Final = 60
_ASKED: Final = (
    "Give the following conversation a title of two to five words, in its language. Answer with the title alone.\n\n"
    "User: {user}\n\nAssistant: {reply}"
)
_AROUND: Final = " \t*_#`\"'“”„«».:"
_LABEL: Final = re.compile(r"^(title|titel)\s*:\s*", re.IGNORECASE)


class ChatNaming:
    """Reads files, off the event loop. `is_wanted` says whether the user wants it."""

    def __init__(self, runtime: Runtime, changes: ListChanges, is_wanted: Callable[[], bool]) -> None:
        self._runtime = runtime
        self._changes = changes
        self._is_wanted = is_wanted

    async def name(self, tab: ChatTab, history: History) -> None:
        """After a reply to the chat; nothing where that was not its first one, or it has a name."""
        row = _only_exchange(history)
        if row is None or not tab.is_kept or is_named(tab.chat) or not self._is_wanted():
            return
        await self._runtime.work.until_idle()
        try:
            title = await self._title(row, f"page:title:{tab.chat}")
            if title:
                await asyncio.to_thread(self._runtime.library.chats.name_once, tab.place, tab.chat, title)
                self._changes.note()
        except ServiceError:
            # The chat is called by its first line, as all are.
            return

    async def _title(self, row: Row, owner: str) -> str:
        reply = divided(row.assistant.text)[1]
        asked = _ASKED.format(user=row.user.text[:_MOST_LETTERS], reply=reply[:_MOST_LETTERS])
        request = ChatRequest(
            model=None,
            messages=(text_message(Role.USER, asked),),
            sampling=replace(Sampling(), temperature=0.0),
            limits=Limits(max_tokens=_MAX_TOKENS),
            template_arguments={"enable_thinking": False},
            truncates=True,
        )
        (choice,) = (await gather(self._runtime.chat.chat(request, owner=owner))).choices
        return title_in(choice.text, is_cut=choice.reason is FinishReason.LENGTH)


def title_in(answer: str, *, is_cut: bool) -> str:
    """The title that a model's answer holds; a word that may be cut is left out where others are there."""
    line = next(filter(None, (each.strip(_AROUND) for each in answer.strip().splitlines())), "")
    line = _LABEL.sub("", line).strip(_AROUND)
    if is_cut and answer.strip().count("\n") == 0 and " " in line:
        line = line.rpartition(" ")[0].strip(_AROUND)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1].rstrip()}…"


def _only_exchange(history: History) -> Row | None:
    rows = [row for row in history.rows if not row.is_greeting]
    is_first = len(rows) == 1 and rows[0].user.text.strip() and divided(rows[0].assistant.text)[1].strip()
    return rows[0] if is_first else None
