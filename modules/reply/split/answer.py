"""The answer of one reply → Content and tool calls, each with its tokens; decides when it is complete."""

import json
import secrets
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from modules.engine.types import Chunk, Finish, TokenLogprob
from modules.events import Content, Event, ToolCallDelta, ToolCallEnd, ToolCallStart
from modules.messages import ToolChoice, ToolUse
from modules.reply.tool_format import CallArguments, CallEnd, CallStart, Piece, Text, ToolParser
from modules.text.held_text import ControlFilter


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one event, with their logprobs where those were asked for, and where in the text that was taken the token
    of each logprob begins."""

    ids: list[int] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.ids or self.logprobs)


class TokenLedger:
    """Tokens in the order of the reply; each belongs to the text in which its own begins, however chunks were cut."""

    def __init__(self) -> None:
        self._entries: deque[tuple[int, int, TokenLogprob | None]] = deque()
        self._fed = 0
        self._taken = 0

    def add(self, chunk: Chunk) -> None:
        starts = chunk.starts or (0,) * len(chunk.tokens)
        logprobs = chunk.logprobs or (None,) * len(chunk.tokens)
        self._entries.extend(
            (self._fed + start, token, logprob)
            for start, token, logprob in zip(starts, chunk.tokens, logprobs, strict=True)
        )
        self._fed += len(chunk.text)

    def take(self, length: int) -> Tokens:
        """The tokens of the next `length` characters."""
        begin, self._taken = self._taken, min(self._taken + length, self._fed)
        return self._before(self._taken, begin)

    def take_all(self) -> Tokens:
        """The tokens of everything that was fed so far."""
        begin, self._taken = self._taken, self._fed
        # One further: a last token that added no text begins exactly at the end.
        return self._before(self._fed + 1, begin)

    def _before(self, place: int, begin: int) -> Tokens:
        tokens = Tokens()
        while self._entries and self._entries[0][0] < place:
            start, token, logprob = self._entries.popleft()
            tokens.ids.append(token)
            if logprob is not None:
                tokens.logprobs.append(logprob)
                tokens.starts.append(start - begin)
        return tokens


# Calls that break off do so early as a rule: a mark was mentioned in prose, or a small model lost the thread.
DOUBTFUL_LENGTH: Final = 256
# OpenAI's ids have 24 characters after the prefix.
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


class AnswerReader(Protocol):
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

    def close(self, finish: Finish | None) -> Iterator[Event]:
        """`finish` is None where a user stopped the reply."""
        ...


class PlainAnswer:
    """An answer without calls: all of it is content."""

    calls = 0
    is_over = False

    def __init__(self, index: int, ledger: TokenLedger, controls: ControlFilter) -> None:
        self._index = index
        self._ledger = ledger
        self._controls = controls

    def feed(self, text: str) -> Iterator[Event]:
        yield from _filtered(self._index, self._controls, text, self._ledger.take(len(text)))

    def close(self, finish: Finish | None) -> Iterator[Event]:
        yield from _content(self._index, self._controls.take(), self._ledger.take_all())


class CallingAnswer:
    """An answer in which `parser` looks for calls, of which there is one at most without `choice.parallel`. With
    `is_held` the model cannot say anything but what was asked for, so that no call is in doubt."""

    def __init__(
        self,
        index: int,
        ledger: TokenLedger,
        controls: ControlFilter,
        parser: ToolParser,
        *,
        choice: ToolChoice,
        is_held: bool = False,
    ) -> None:
        self._index = index
        self._ledger = ledger
        self._controls = controls
        self._parser = parser
        self._choice = choice
        self._doubtful = 0 if is_held else DOUBTFUL_LENGTH
        self._said: list[tuple[str, object]] = []
        self._call: OpenCall | None = None
        self._told = 0
        self.calls = 0
        self.is_over = False

    def feed(self, text: str) -> Iterator[Event]:
        yield from self._read(self._parser.feed(text))

    def close(self, finish: Finish | None) -> Iterator[Event]:
        if self.is_over:
            return
        yield from self._read(self._parser.close(is_cut=finish is not Finish.STOP), finish=finish)
        if self._call is not None:
            yield from self._call.tell()
            self._told += 1
            return
        rest, tokens = self._controls.take(), self._ledger.take_all()
        if rest or not self._told:
            yield from _content(self._index, rest, tokens)

    def _read(self, pieces: Iterable[Piece], finish: Finish | None = None) -> Iterator[Event]:
        for piece in pieces:
            match piece:
                case CallArguments(text):
                    yield from self._open_call.add(text)
                case Text() if self._call is not None and finish is Finish.LENGTH:
                    # There was no room for the rest of the call.
                    return
                case Text(text):
                    self._break_off()
                    yield from _filtered(self._index, self._controls, text, self._ledger.take(len(text)))
                case CallStart(name):
                    yield from _content(self._index, self._controls.take(), Tokens())
                    self._call = OpenCall(self._index, self._told, name, doubtful=self._doubt)
                case CallEnd():
                    yield from self._end_call()
                    if self.is_over:
                        return

    @property
    def _open_call(self) -> OpenCall:
        assert self._call is not None, "arguments without a call"
        return self._call

    @property
    def _doubt(self) -> int:
        """How long a call is in doubt. Where calls are forced, a model that has no more to say repeats what it said."""
        return DOUBTFUL_LENGTH if self._is_forced and self._said else self._doubtful

    @property
    def _is_forced(self) -> bool:
        return self._choice.use is ToolUse.REQUIRED

    def _break_off(self) -> None:
        """The call of which nothing came keeps its number if it was told of."""
        if self._call is not None:
            self._told += self._call.is_told
            self._call = None

    def _end_call(self) -> Iterator[Event]:
        """The tokens of a call belong to no text."""
        self._ledger.take_all()
        call, self._call = self._open_call, None
        if self._is_forced:
            said = call.said()
            if said in self._said and not call.is_told:
                self.is_over = True
                return
            self._said.append(said)
        yield from call.end()
        self._told += 1
        self.calls += 1
        self.is_over = not self._choice.parallel


def _filtered(index: int, controls: ControlFilter, text: str, tokens: Tokens) -> Iterator[Event]:
    starts = controls.places(text, tokens.starts)
    yield from _content(index, controls.feed(text), replace(tokens, starts=starts))


def _content(index: int, text: str, tokens: Tokens) -> Iterator[Event]:
    if text or tokens:
        yield Content(
            index=index,
            text=text,
            tokens=tuple(tokens.ids),
            logprobs=tuple(tokens.logprobs),
            starts=tuple(tokens.starts),
        )
