"""Finding stop strings in text that arrives in pieces, and holding back what may become one."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Released:
    """Text that is safe to show; `stop` is the stop string right after it, when that is where the reply ends."""

    text: str
    stop: str | None = None


class StopScanner:
    """Cuts a reply at the first place, in the text, where any stop string stands.

    "First" is by where an occurrence begins, whatever the order of the list and however the text is split into
    pieces: an occurrence waits for an earlier one that is still incomplete.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._initials = frozenset(stop[0] for stop in self._stops)
        self._held = ""

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to look for, so that no text is held back."""
        return not self._stops

    def feed(self, text: str) -> Released:
        if not self._stops:
            return Released(text)
        held = self._held + text
        match = self._first_match(held)
        undecided = self._first_undecided(held)
        if match is not None and match[0] < undecided:
            self._held = ""
            return Released(held[: match[0]], match[1])
        self._held = held[undecided:]
        return Released(held[:undecided])

    def flush(self) -> Released:
        """Nothing follows: what was held back is text after all, or ends at a stop string that had to wait."""
        held, self._held = self._held, ""
        match = self._first_match(held)
        return Released(held) if match is None else Released(held[: match[0]], match[1])

    def _first_match(self, text: str) -> tuple[int, str] | None:
        found = [(at, len(stop), stop) for stop in self._stops if (at := text.find(stop)) >= 0]
        if not found:
            return None
        at, _, stop = min(found)
        return at, stop

    def _first_undecided(self, text: str) -> int:
        """Where the earliest tail begins that is a proper beginning of some stop string; len(text) if none."""
        for at, letter in enumerate(text):
            if letter in self._initials and self._may_continue(text[at:]):
                return at
        return len(text)

    def _may_continue(self, tail: str) -> bool:
        return any(len(tail) < len(stop) and stop.startswith(tail) for stop in self._stops)
