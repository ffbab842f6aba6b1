"""What one browser tab is looking at."""

import secrets
from dataclasses import dataclass, field
from typing import Final

from modules.library.histories import INCOGNITO, Place
from modules.library.history import History

_HEX_BYTES: Final = 6


@dataclass(eq=False, slots=True)
class Opening:
    """A page that still waits for the chat it opens with. All events of a browser tab see the same one, so that the one
    that brings this chat learns that its user was quicker."""

    is_overtaken: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """The chat that a tab shows. `history` is the conversation itself where it is kept nowhere else; otherwise None,
    for then the file is the truth. `opening` is there until the tab shows a chat."""

    place: Place = field(default_factory=lambda: Place(None))
    chat: str = ""
    history: History | None = None
    opening: Opening | None = None

    @property
    def is_opening(self) -> bool:
        return self.opening is not None and not self.opening.is_overtaken

    def overtake(self) -> None:
        """The user begins or opens a chat, whichever the page was going to open with."""
        if self.opening is not None:
            self.opening.is_overtaken = True

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
