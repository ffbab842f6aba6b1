"""What one browser tab is looking at."""

import secrets
from dataclasses import dataclass, field
from typing import Final

from modules.library.histories import INCOGNITO, Place
from modules.library.history import History

_HEX_BYTES: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """The chat that a tab shows. `history` is the conversation itself where it is kept nowhere else; otherwise None,
    for then the file is the truth. Until the tab has shown a chat, it `is_fresh`."""

    place: Place = field(default_factory=lambda: Place(None))
    chat: str = ""
    history: History | None = None
    is_fresh: bool = False

    @property
    def is_kept(self) -> bool:
        """Whether the chat lies on disk, now or after its first message."""
        return self.history is None

    @property
    def key(self) -> tuple[Place, str]:
        return self.place, self.chat


def unkept(place: Place) -> Tab:
    """A new chat that is never written to disk."""
    return Tab(place=place, chat=f"{INCOGNITO}{secrets.token_hex(_HEX_BYTES)}", history=History())
