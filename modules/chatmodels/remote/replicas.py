"""Which of several servers with the same models answers next. Pure: the clock is the caller's."""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

# A server that fails once is asked again soon; one that keeps failing costs a request a connection attempt a minute.
FIRST_PAUSE_SECONDS: Final = 5.0
LONGEST_PAUSE_SECONDS: Final = 60.0
# Conversations whose server is remembered. An entry is a hash and a number.
_REMEMBERED: Final = 4096


@dataclass(slots=True)
class Replica:
    """One server: its base URL, how many requests it is working on, and until when it is left alone."""

    url: str
    running: int = 0
    failures: int = 0
    paused_until: float = 0.0


class Replicas:
    """The servers of one upstream. Fewest running requests first; among equals the one that has the beginning of the
    conversation in its cache, then the one that was named first."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.all = tuple(Replica(url) for url in urls)
        self._seen: OrderedDict[int, Replica] = OrderedDict()

    def choose(self, prefixes: Sequence[int], now: float, *, besides: Collection[Replica] = ()) -> Replica | None:
        """The server for a conversation whose beginnings hash to `prefixes`, shortest first; None when all are among
        `besides`. Those that failed a moment ago are chosen only when there is no other."""
        candidates = [replica for replica in self.all if replica not in besides]
        if not candidates:
            return None
        known = next((self._seen[prefix] for prefix in reversed(prefixes) if prefix in self._seen), None)
        return min(
            candidates,
            key=lambda replica: (replica.paused_until > now, replica.running, replica is not known),
        )

    def started(self, replica: Replica) -> None:
        replica.running += 1

    def ended(self, replica: Replica) -> None:
        replica.running -= 1

    def answered(self, replica: Replica, prefixes: Sequence[int]) -> None:
        """It works, and now has the conversation in its cache."""
        replica.failures = 0
        replica.paused_until = 0.0
        for prefix in prefixes:
            self._seen[prefix] = replica
            self._seen.move_to_end(prefix)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def is_busy(self, replica: Replica, now: float, seconds: float) -> None:
        """It works, and wants to be left alone for so long."""
        replica.paused_until = max(replica.paused_until, now + seconds)

    def failed(self, replica: Replica, now: float) -> None:
        """Requests that were under way together fail together, and count once."""
        if replica.paused_until > now:
            return
        pause = min(FIRST_PAUSE_SECONDS * 2**replica.failures, LONGEST_PAUSE_SECONDS)
        replica.failures += 1
        replica.paused_until = now + pause
