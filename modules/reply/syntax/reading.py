"""Parses a whole reply in one format: ordinary text, calls, their names and JSON arguments."""

from collections.abc import Iterator
from itertools import groupby
from typing import Protocol

from modules.reply.syntax.schema import OfferedTools, Schema
from modules.reply.syntax.source import MarkerScanner, NotACall, ReplyEnded, ReplySource, Steps, collected
from modules.reply.syntax.values import JSON, ValueReader, json_of_literal
from modules.reply.tool_format import CallArguments, CallEnd, CallStart, Piece, Text


def read_name(source: ReplySource, offered: OfferedTools) -> Steps[str]:
    """The offered name that comes next; what follows it is the caller's to check.

    Raises:
        NotACall: none does.
    """
    # `expect` needs something to choose from.
    if not offered.names:
        raise NotACall
    return (yield from source.expect(*offered.names))


def give_call(source: ReplySource, name: str, arguments: Steps[None]) -> Steps[None]:
    """A call whose `arguments` are read now. Where they turn out malformed it never ends, and all that was read of it
    is given back as text."""
    yield CallStart(name)
    yield from arguments
    source.commit()
    yield CallEnd()


def give_arguments(arguments: str) -> Steps[None]:
    yield CallArguments(arguments)


def read_json_call(source: ReplySource, offered: OfferedTools, name: str) -> Steps[None]:
    """The call of `name` whose arguments come next: a JSON object, the same as text in a JSON string, or null."""
    schema = offered.schema(name)
    opener = yield from source.peek()
    if opener == "{":
        yield from give_call(source, name, ValueReader(source).value(schema))
    elif opener in JSON.quotes:
        text = (yield from ValueReader(source).string_text()).strip()
        yield from give_call(source, name, give_arguments(_object_of(text, schema)))
    else:
        yield from source.expect("null")
        yield from give_call(source, name, give_arguments("{}"))


def read_json_value(source: ReplySource) -> Steps[str]:
    """Any JSON value, held back."""
    return (yield from collected(ValueReader(source).value(Schema({}))))


def _object_of(text: str, schema: Schema) -> str:
    if text in {"", "null"}:
        return "{}"
    arguments = json_of_literal(text, schema) if text.startswith("{") else None
    if arguments is None:
        raise NotACall
    return arguments


class CallSyntax(Protocol):
    """How one format writes calls. Readers raise NotACall where none stands.

    `openers` begin calls wherever they stand in a reply, `closers` stand behind calls and mean nothing.
    """

    @property
    def openers(self) -> tuple[str, ...]: ...

    @property
    def closers(self) -> tuple[str, ...]: ...

    def read_first(self, source: ReplySource, offered: OfferedTools) -> Steps[None]:
        """Calls that may stand without an opener, at the start of a reply only."""
        ...

    def read_calls(self, source: ReplySource, opener: str, offered: OfferedTools) -> Steps[None]:
        """The calls behind `opener`."""
        ...


class CallParser:
    """The ToolParser of a format. Space around calls is dropped here, and adjacent pieces are joined."""

    def __init__(self, syntax: CallSyntax, offered: OfferedTools, *, keeps_space: bool = False) -> None:
        self._source = ReplySource(openers=syntax.openers, closers=syntax.closers)
        self._steps = _read_reply(self._source, syntax, offered)
        self._spacing = None if keeps_space else _Spacing()

    def feed(self, text: str) -> list[Piece]:
        self._source.append(text)
        return _joined(self._spacing.applied(self._certain()) if self._spacing else self._certain())

    def close(self, *, is_cut: bool = False) -> list[Piece]:
        self._source.end(is_cut=is_cut)
        return _joined(self._spacing.closed(self._certain()) if self._spacing else self._certain())

    def _certain(self) -> Iterator[Piece]:
        for piece in self._steps:
            if piece is None:
                return
            yield piece


class _Spacing:
    """Holds back space at the end of text until it is known that no call follows."""

    def __init__(self) -> None:
        self._space: list[str] = []
        self._follows_call = False
        self._is_in_call = False

    def applied(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            match piece:
                case Text(text):
                    yield from self._text(text)
                case CallStart():
                    self._is_in_call = True
                    yield piece
                case CallEnd():
                    self._space.clear()
                    self._follows_call, self._is_in_call = True, False
                    yield piece
                case _:
                    yield piece

    def closed(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        yield from self.applied(pieces)
        if self._space:
            yield Text("".join(self._space))

    def _text(self, text: str) -> Iterator[Text]:
        if self._follows_call and not self._is_in_call:
            # Templates write line breaks between calls and text, which the model learned along with them.
            text = text.lstrip()
        self._is_in_call = False
        body = text.rstrip()
        if body:
            self._follows_call = False
            yield Text("".join(self._space) + body)
            self._space.clear()
        if len(text) > len(body):
            self._space.append(text[len(body) :])


def _joined(pieces: Iterator[Piece]) -> list[Piece]:
    """`pieces` with neighbours of one kind made one, and without empty ones."""
    joined: list[Piece] = []
    for kind, group in groupby(pieces, type):
        if issubclass(kind, Text | CallArguments):
            text = "".join(piece.text for piece in group if isinstance(piece, Text | CallArguments))
            joined += [kind(text)] if text else []
        else:
            joined += group
    return joined


def _read_reply(source: ReplySource, syntax: CallSyntax, offered: OfferedTools) -> Steps[None]:
    try:
        yield from _read_text_and_calls(source, syntax, offered)
    # A call that the end of the reply cuts off is shown as it was written, never with half of its arguments.
    except ReplyEnded:
        if source.is_marked:
            yield Text(source.unread() + source.take_rest())


def _read_text_and_calls(source: ReplySource, syntax: CallSyntax, offered: OfferedTools) -> Steps[None]:
    openers = MarkerScanner(syntax.openers)
    either = MarkerScanner(dict.fromkeys(syntax.openers + syntax.closers))
    source.mark()
    is_broken = yield from _attempt(source, syntax, syntax.read_first(source, offered))
    while True:
        marker = yield from _read_text(source, either if is_broken else openers)
        if marker in syntax.openers:
            source.mark(marker)
            is_broken = yield from _attempt(source, syntax, syntax.read_calls(source, marker, offered))
        else:
            yield from skip_closers(source, syntax.closers)
            is_broken = False


def _attempt(source: ReplySource, syntax: CallSyntax, steps: Steps[None]) -> Steps[bool]:
    """Reads calls, or gives as text what was read when none came of it. True if what is behind a complete call cannot be
    read, so that what it is closed with is still to come."""
    try:
        yield from steps
    except NotACall:
        if source.is_marked:
            yield Text(source.unread())
            return False
        return True
    if source.is_marked:
        yield Text(source.unread())
    else:
        yield from skip_closers(source, syntax.closers)
    return False


def skip_closers(source: ReplySource, closers: tuple[str, ...]) -> Steps[None]:
    """Reads `closers` behind a call, and the space before them. One that the end of the reply cuts off is dropped."""
    source.mark()
    try:
        yield from source.space()
        while closers and (yield from source.literal(*closers)):
            source.mark()
            yield from source.space()
    except ReplyEnded:
        source.commit()
        raise
    yield Text(source.unread())


def _read_text(source: ReplySource, scanner: MarkerScanner) -> Steps[str]:
    """Gives text up to the next marker, which is read."""
    try:
        return (yield from source.until(scanner, Text))
    except ReplyEnded:
        yield Text(source.take_rest())
        raise
