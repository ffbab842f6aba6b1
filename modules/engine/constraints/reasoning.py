"""Watching for a thought's beginning and end in the bytes of a reply."""

from modules.engine.types import Thought


class ReasoningStart:
    """The first tokens of a reply that may begin a thought: what was said of the text that begins one."""

    def __init__(self, start: str) -> None:
        self._start = start.encode()
        self._said = b""

    @property
    def rest(self) -> str:
        """What is missing until the thought has begun."""
        return self._start[len(self._said) :].decode("utf-8", "ignore")

    def is_begun_by(self, data: bytes) -> bool:
        return (self._said + data).startswith(self._start)

    def is_continued_by(self, data: bytes) -> bool:
        """True when, with `data`, the thought has begun or may still begin."""
        return bool(data) and (self._start.startswith(self._said + data) or self.is_begun_by(data))

    def accept(self, data: bytes) -> bytes:
        """What goes beyond the beginning."""
        self._said += data
        return self._said[len(self._start) :]


class Thinking:
    """A thought under way. Each question costs no more than the length of the token and of the text that ends it."""

    def __init__(self, thought: Thought) -> None:
        self._end = thought.end.encode()
        self._budget = thought.budget
        self._tail = b""
        self._count = 0
        self.is_over = False

    @property
    def is_spent(self) -> bool:
        return self._budget is not None and self._count >= self._budget

    @property
    def is_ending(self) -> bool:
        """True when part of the text that ends the thought may have been said."""
        return any(self._end.startswith(self._tail[at:]) for at in range(len(self._tail)))

    def rest_after_end(self, data: bytes) -> bytes | None:
        """What `data` holds after the text that ends the thought; None while it does not end."""
        text = self._tail + data
        at = text.find(self._end)
        return None if at < 0 else text[at + len(self._end) :]

    def accept(self, data: bytes, *, counts: bool = True) -> None:
        self._count += counts
        self.is_over = self.rest_after_end(data) is not None
        text = self._tail + data
        self._tail = text[max(0, len(text) - len(self._end) + 1) :]
