"""The answer of one reply → Content and tool calls: which calls there are, and when there is enough."""

import secrets
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from modules.events import Content, Event, ToolCallDelta, ToolCallEnd, ToolCallStart
from modules.reply.split_text import ControlFilter
from modules.reply.split_tokens import TokenLedger, Tokens
from modules.reply.tool_format import CallArguments, CallEnd, CallStart, Piece, Text, ToolParser

_ID_BYTES: Final = 12


class Answer(Protocol):
    """Reads what of a reply is not thought. Its text's tokens are the next ones in the reply's ledger."""

    @property
    def calls(self) -> int:
        """How many calls are complete."""
        ...

    @property
    def is_over(self) -> bool:
        """True when nothing that the model still says is wanted."""
        ...

    def feed(self, text: str) -> Iterator[Event]: ...

    def close(self) -> Iterator[Event]: ...


class PlainAnswer:
    """An answer without calls: all of it is content."""

    calls = 0
    is_over = False

    def __init__(self, index: int, ledger: TokenLedger, controls: ControlFilter) -> None:
        self._index = index
        self._ledger = ledger
        self._controls = controls

    def feed(self, text: str) -> Iterator[Event]:
        yield from _content(self._index, self._controls.feed(text), self._ledger.take(len(text)))

    def close(self) -> Iterator[Event]:
        yield from _content(self._index, self._controls.take(), self._ledger.take_all())


class CallingAnswer:
    """An answer in which `parser` looks for calls. Without `parallel` the first complete call ends the answer."""

    def __init__(
        self, index: int, ledger: TokenLedger, controls: ControlFilter, parser: ToolParser, *, parallel: bool
    ) -> None:
        self._index = index
        self._ledger = ledger
        self._controls = controls
        self._parser = parser
        self._parallel = parallel
        self._started = 0
        self.calls = 0

    @property
    def is_over(self) -> bool:
        return self.calls > 0 and not self._parallel

    def feed(self, text: str) -> Iterator[Event]:
        yield from self._read(self._parser.feed(text))

    def close(self) -> Iterator[Event]:
        if self.is_over:
            return
        yield from self._read(self._parser.close())
        rest, tokens = self._controls.take(), self._ledger.take_all()
        if rest or not self._started:
            yield from _content(self._index, rest, tokens)

    def _read(self, pieces: Iterable[Piece]) -> Iterator[Event]:
        for piece in pieces:
            match piece:
                case Text(text):
                    yield from _content(self._index, self._controls.feed(text), self._ledger.take(len(text)))
                case CallStart(name):
                    yield from self._begin_call(name)
                case CallArguments(text):
                    yield ToolCallDelta(index=self._index, call=self._started - 1, arguments=text)
                case CallEnd():
                    yield self._end_call()
                    if self.is_over:
                        return

    def _begin_call(self, name: str) -> Iterator[Event]:
        yield from _content(self._index, self._controls.take(), Tokens())
        self._ledger.take_all()
        call_id = f"call_{secrets.token_hex(_ID_BYTES)}"
        yield ToolCallStart(index=self._index, call=self._started, id=call_id, name=name)
        self._started += 1

    def _end_call(self) -> Event:
        """The tokens of a call belong to no text."""
        self._ledger.take_all()
        self.calls += 1
        return ToolCallEnd(index=self._index, call=self._started - 1)


def _content(index: int, text: str, tokens: Tokens) -> Iterator[Event]:
    if text or tokens:
        yield Content(index=index, text=text, tokens=tuple(tokens.ids), logprobs=tuple(tokens.logprobs))
