"""What one browser tab is looking at."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from modules.chat.session.uses import ChatUses, stored_uses, uses_from
from modules.library.chats.histories import INCOGNITO, Place
from modules.library.chats.history import History
from modules.ui.replies.marks import Marks

_HEX_BYTES: Final = 6
_LONGEST_NAME: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTab:
    """The chat that a tab shows. `history` is the conversation itself where it is kept nowhere else; otherwise None,
    for then the file is the truth. `is_unset` until the tab shows a chat. `marks` are of the messages that it shows;
    None before it shows any. `model` was chosen for it, or
    answered in it last. `uses` is what was chosen for a chat that is not stored yet."""

    place: Place = field(default_factory=lambda: Place(None))
    chat: str = ""
    history: History | None = None
    is_unset: bool = False
    marks: Marks | None = None
    model: str = ""
    uses: ChatUses | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the chat lies on disk, now or after its first message."""
        return self.history is None

    def is_shown_as(self, shown: "ChatTab") -> bool:
        """Whether a browser that says it shows `shown` shows this chat. It may not know the chat's id yet."""
        is_there = self.place == shown.place and self.is_kept == shown.is_kept
        return is_there and (not self.is_kept or shown.chat in {"", self.chat})

    @property
    def key(self) -> tuple[Place, str]:
        return self.place, self.chat


def unkept(place: Place) -> ChatTab:
    """A new chat that is never written to disk."""
    return ChatTab(place=place, chat=f"{INCOGNITO}{secrets.token_hex(_HEX_BYTES)}", history=History())


def place_text(tab: ChatTab) -> str:
    """Where the tab is, for the browser to keep: it tells a server that was started anew, which knows no tabs. `mark` is
    of the messages that it shows."""
    place = {"character": tab.place.character, "chat": tab.chat if tab.is_kept else None, "model": tab.model}
    uses = {} if tab.uses is None or tab.chat else {"uses": stored_uses(tab.uses)}
    mark = {} if tab.marks is None or not tab.is_kept else {"mark": tab.marks.whole}
    return json.dumps({**place, **uses, **mark})


def placed_tab(text: str) -> ChatTab | None:
    """The tab of a browser that has kept `place_text`; a chat that lay nowhere has to begin anew. None for what is none.

    Names are checked where files are reached by them.
    """
    try:
        kept = json.loads(text)
    except ValueError:
        return None
    match kept:
        case {"character": str() | None as character, "chat": str() as chat}:
            uses = None if chat else uses_from(kept.get("uses"))
            return ChatTab(place=Place(character), chat=chat, model=_model(kept), uses=uses)
        case {"character": str() | None as character, "chat": None}:
            return replace(unkept(Place(character)), model=_model(kept))
        case _:
            return None


def _model(kept: Mapping[str, object]) -> str:
    name = kept.get("model")
    return name[:_LONGEST_NAME] if isinstance(name, str) else ""
