"""One call of a reply → events: held back while it may yet turn out to be none, and told as it comes from then on."""

import json
import secrets
from collections.abc import Iterable, Iterator
from typing import Final

from modules.events import Event, ToolCallDelta, ToolCallEnd, ToolCallStart

# Calls that break off do so early as a rule: a mark was mentioned in prose, or a small model lost the thread.
DOUBTFUL_LENGTH: Final = 256
_ID_BYTES: Final = 12


class OpenCall:
    """Call number `call` of choice `index`, whose arguments come in pieces. Nothing is told of it before they are longer
    than `doubtful` characters or complete."""

    def __init__(self, index: int, call: int, name: str, *, doubtful: int) -> None:
        self._index = index
        self._call = call
        self._name = name
        self._doubtful = doubtful
        self._length = 0
        self._arguments: list[str] = []
        self.is_told = False

    def add(self, arguments: str) -> Iterable[Event]:
        self._arguments.append(arguments)
        self._length += len(arguments)
        if self.is_told:
            return (self._delta(arguments),)
        return tuple(self.tell()) if self._length > self._doubtful else ()

    def tell(self) -> Iterator[Event]:
        """What was held back, if anything was."""
        if not self.is_told:
            self.is_told = True
            call_id = f"call_{secrets.token_hex(_ID_BYTES)}"
            yield ToolCallStart(index=self._index, call=self._call, id=call_id, name=self._name)
            for arguments in self._arguments:
                yield self._delta(arguments)

    def end(self) -> Iterator[Event]:
        yield from self.tell()
        yield ToolCallEnd(index=self._index, call=self._call)

    def said(self) -> tuple[str, object]:
        """The name and the arguments of a call that is complete."""
        return self._name, json.loads("".join(self._arguments))

    def _delta(self, arguments: str) -> Event:
        return ToolCallDelta(index=self._index, call=self._call, arguments=arguments)
