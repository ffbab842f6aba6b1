"""Bytes of a server-sent event stream (WHATWG HTML, 9.2.6) → the data of its events."""

from collections.abc import Iterator
from typing import Final

# A line with a whole picture or a thousand alternatives is a few MiB; more than this is no chunk of a reply.
MAX_EVENT_BYTES: Final = 16 * 2**20


class EventTooLarge(ValueError):
    """An event is longer than `MAX_EVENT_BYTES`."""


class EventDecoder:
    """Feed it bytes as they come. Names, ids and comments of events are skipped: OpenAI's streams do not need them."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, received: bytes) -> Iterator[bytes]:
        """The data of each event that is complete, without blank ones. Raises EventTooLarge."""
        # Most chunks end with a line, so joining with the rest is rare and cheap.
        lines = (self._rest + received if self._rest else received).split(b"\n")
        self._rest = lines.pop()
        if self._size + len(self._rest) > MAX_EVENT_BYTES:
            raise EventTooLarge
        for line in lines:
            yield from self._line(line.removesuffix(b"\r"))

    def close(self) -> Iterator[bytes]:
        """What the stream ended with, when its last event has no blank line behind it: servers forget it."""
        rest, self._rest = self._rest, b""
        yield from self._line(rest.removesuffix(b"\r"))
        yield from self._line(b"")

    def _line(self, line: bytes) -> Iterator[bytes]:
        if line.startswith(b"data:"):
            data = line[5:].strip()
            self._size += len(data)
            if self._size > MAX_EVENT_BYTES:
                raise EventTooLarge
            self._data.append(data)
        elif not line:
            data, self._size = b"\n".join(self._data), 0
            self._data.clear()
            if data:
                yield data
