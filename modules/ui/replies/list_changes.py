"""What has changed in the list of chats since a browser looked, and replies that nobody has seen."""

import asyncio
import secrets

from modules.library.chats.histories import Place

Key = tuple[Place, str]
_BYTES = 4


class ListChanges:
    """One for all browsers. `revision` is another text whenever the list of any place may look different; no two starts
    of the program share one."""

    def __init__(self) -> None:
        self._start = secrets.token_hex(_BYTES)
        self._count = 0
        self._changed = asyncio.Event()
        self._unseen: set[Key] = set()
        self._is_closed = False

    @property
    def revision(self) -> str:
        return f"{self._start}-{self._count}"

    def note(self) -> None:
        self._count += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def finished(self, key: Key) -> None:
        """A reply is complete; until a browser shows it, nobody has seen it."""
        self._unseen.add(key)
        self.note()

    def seen(self, key: Key) -> None:
        if key in self._unseen:
            self._unseen.discard(key)
            self.note()

    def is_unseen(self, key: Key) -> bool:
        return key in self._unseen

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    async def wait(self, revision: str, seconds: float) -> None:
        """Until there is another revision; for so long at most."""
        if revision != self.revision or self._is_closed:
            return
        try:
            await asyncio.wait_for(self._changed.wait(), seconds)
        except TimeoutError:
            return

    def close(self) -> None:
        """Nobody waits any more."""
        self._is_closed = True
        self._changed.set()
