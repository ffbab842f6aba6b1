"""Which chat a browser tab shows, when its user chooses several in quick succession."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from modules.ui.replies.tab_state import ChatTab
from modules.ui.shell.turns import InOrder

Pending = Callable[[], Awaitable[ChatTab]]


class ChatSwitches(InOrder):
    """The order in which a browser tab's events chose a chat to show. All events of the tab share one object, so an
    older event that is still running learns that its result must not be shown any more.

    `pending` finds the chat that the latest event leads to, until the page shows it. `impersonator` is the owner of the
    words that are being written in place of the tab's user, empty for none."""

    def __init__(self) -> None:
        super().__init__()
        self._latest = 0
        self.pending: Pending | None = None
        self.impersonator = ""

    @property
    def opening(self) -> "ChatSwitch":
        """The chat that a page opens with, which any choice of its user replaces."""
        return ChatSwitch(self, 0)

    @property
    def current(self) -> "ChatSwitch":
        """The latest event, for one that changes the chat which that shows."""
        return ChatSwitch(self, self._latest)

    def begin(self) -> "ChatSwitch":
        """Makes the calling event the latest one. To be called before it awaits anything."""
        self._latest += 1
        self.pending = None
        return ChatSwitch(self, self._latest)

    def is_latest(self, number: int) -> bool:
        return number == self._latest


@dataclass(frozen=True, slots=True)
class ChatSwitch:
    """One event that shows a chat, numbered by its tab's `choices`."""

    choices: ChatSwitches
    number: int

    @property
    def is_latest(self) -> bool:
        return self.choices.is_latest(self.number)

    def leads_to(self, pending: Pending | None) -> None:
        """Notes what the page is going to show; None once it does, or never will."""
        if self.is_latest:
            self.choices.pending = pending
