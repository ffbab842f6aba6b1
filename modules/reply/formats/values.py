"""Reads a value that a model writes in JSON, in Python or in a notation like them, and gives it on as JSON.

What is JSON already passes through as it stands. What the schema or JSON itself wants otherwise is put right on the way:
types, quotes, bare keys, raw line breaks, trailing commas.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from modules.reply.formats.markers import MarkerScanner
from modules.reply.formats.scalars import escaped, quoted, scalar_of_text, scalar_of_token
from modules.reply.formats.schema import Schema
from modules.reply.formats.source import Source
from modules.reply.formats.steps import NotACall, ReplyEnded, Steps, collected, led_by
from modules.reply.tool_format import CallArguments

_MAX_DEPTH = 64
_TOKEN = re.compile(r"[\w.+-]*")
_BARE_KEY = re.compile(r"[\w.$-]*")
_HEX = re.compile(r"[0-9a-fA-F]+")
_CODE_LENGTHS = {"x": 2, "u": 4, "U": 8}
_CLOSERS = {"{": "}", "[": "]", "(": ")"}


@dataclass(frozen=True, slots=True)
class Notation:
    """How strings are quoted: by `quotes` with backslash escapes, or by `raw_quotes` as they are."""

    quotes: tuple[str, ...] = ('"', "'")
    raw_quotes: tuple[str, ...] = ()


JSON = Notation()
PYTHON = Notation(quotes=('"""', "'''", '"', "'"))

MemberReader = Callable[[str, str], Steps[None]]


class ValueReader:
    """Reads values in `notation` from `source`.

    Every method that reads raises NotACall where what stands there is no such value; what it has given until then is
    made complete JSON first, if anything was.
    """

    def __init__(self, source: Source, notation: Notation = JSON) -> None:
        self._source = source
        self._notation = notation

    def value(self, schema: Schema, depth: int = 0) -> Steps[None]:
        if depth > _MAX_DEPTH:
            raise NotACall
        notation = self._notation
        opener = yield from self._source.literal(*notation.quotes, *notation.raw_quotes, *_CLOSERS)
        if opener == "{":
            yield from self.object(schema, depth=depth)
        elif opener in _CLOSERS:
            yield from self._array(schema.items, _CLOSERS[opener], depth)
        elif opener:
            yield from self._string(opener, schema, depth)
        else:
            yield from self._scalar(schema)

    def object(self, schema: Schema, *, closer: str = "}", colon: str = ":", depth: int = 0) -> Steps[None]:
        """The rest of an object, behind its opening bracket."""

        def member(key: str, lead: str) -> Steps[None]:
            return led_by(lead, self.value(schema.member(key), depth + 1))

        yield CallArguments("{")
        try:
            yield from self.members(member, closer=closer, colon=colon)
        except NotACall:
            yield CallArguments("}")
            raise
        yield CallArguments("}")

    def members(self, member: MemberReader, *, closer: str = "}", colon: str = ":") -> Steps[None]:
        """The members of an object up to its `closer`; `member` is given each key and what precedes the value in JSON,
        and reads the value."""
        lead = yield from self._source.space()
        while not (yield from self._source.literal(closer)):
            key, written = yield from self._key(colon)
            yield from member(key, lead + written)
            lead = yield from self._source.space()
            if not (yield from self._source.literal(",")):
                yield from self._source.expect(closer)
                yield CallArguments(lead)
                return
            lead += "," + (yield from self._source.space())

    def string_text(self) -> Steps[str]:
        """The text of a string.

        Raises:
            NotACall: what comes is no string.
        """
        opener = yield from self._source.expect(*self._notation.quotes, *self._notation.raw_quotes)
        return _decoded((yield from collected(self._characters(opener))))

    def _key(self, colon: str) -> Steps[tuple[str, str]]:
        """A key, and the JSON that says it with its colon and the space around that."""
        notation = self._notation
        opener = yield from self._source.literal(*notation.quotes, *notation.raw_quotes)
        if opener:
            written = '"' + (yield from collected(self._characters(opener))) + '"'
        else:
            written = quoted((yield from self._source.run(_BARE_KEY)))
        key = _decoded(written[1:-1])
        if not opener and not key:
            raise NotACall
        written += yield from self._source.space()
        yield from self._source.expect(colon)
        return key, written + ":" + (yield from self._source.space())

    def _array(self, items: Schema, closer: str, depth: int) -> Steps[None]:
        yield CallArguments("[")
        try:
            yield from self._elements(items, closer, depth)
        except NotACall:
            yield CallArguments("]")
            raise
        yield CallArguments("]")

    def _elements(self, items: Schema, closer: str, depth: int) -> Steps[None]:
        lead = yield from self._source.space()
        while not (yield from self._source.literal(closer)):
            yield from led_by(lead, self.value(items, depth + 1))
            lead = yield from self._source.space()
            if not (yield from self._source.literal(",")):
                yield from self._source.expect(closer)
                yield CallArguments(lead)
                return
            lead += "," + (yield from self._source.space())

    def _scalar(self, schema: Schema) -> Steps[None]:
        value = scalar_of_token((yield from self._source.run(_TOKEN)), schema.types)
        if value is None:
            raise NotACall
        yield CallArguments(value)

    def _string(self, opener: str, schema: Schema, depth: int) -> Steps[None]:
        if not schema.types or "string" in schema.types:
            yield CallArguments('"')
            yield from self._characters(opener)
            yield CallArguments('"')
        else:
            text = _decoded((yield from collected(self._characters(opener))))
            yield CallArguments(json_of_text(text, schema, depth + 1))

    def _characters(self, quote: str) -> Steps[None]:
        """The text of a string up to `quote`, escaped as in JSON."""
        markers = (quote,) if quote in self._notation.raw_quotes else (quote, "\\")
        scanner = MarkerScanner(markers)
        while (yield from self._source.until(scanner, _escaped_arguments)) != quote:
            yield CallArguments((yield from self._escape()))

    def _escape(self) -> Steps[str]:
        """JSON for the escape whose backslash was read; a backslash that begins none stands for itself."""
        yield from self._source.peek()
        letter = self._source.take(1)
        if letter in '"\\/bfnrt':
            return "\\" + letter
        if letter in _CODE_LENGTHS:
            return (yield from self._character_code(letter))
        return {"'": "'", "\n": ""}.get(letter, "\\\\" + escaped(letter))

    def _character_code(self, letter: str) -> Steps[str]:
        digits = ""
        while len(digits) < _CODE_LENGTHS[letter] and _HEX.fullmatch((yield from self._source.peek())):
            digits += self._source.take(1)
        if len(digits) < _CODE_LENGTHS[letter] or int(digits, 16) > 0x10FFFF:
            return "\\\\" + letter + digits
        return "\\u" + digits if letter == "u" else json.dumps(chr(int(digits, 16)))[1:-1]


def json_of_text(text: str, schema: Schema, depth: int = 0) -> str:
    """The JSON of a value that was written as plain text: of another type than text where `schema` wants one and `text`
    is one, else of the text itself. Where the schema says nothing, only an object or an array is more than text."""
    if schema.takes_text:
        return quoted(text)
    value = text.strip()
    wanted = schema.types or {"object", "array"}
    if (value[:1] == "{" and "object" in wanted) or (value[:1] == "[" and "array" in wanted):
        return json_of_literal(value, schema, depth) or quoted(text)
    return scalar_of_text(value, schema.types) or quoted(text)


def json_of_literal(text: str, schema: Schema, depth: int = 0) -> str | None:
    """The JSON of an object or array that all of `text` is, `depth` levels within a value; None if it is none."""
    source = Source(text)
    source.end()
    parts = []
    try:
        for piece in ValueReader(source).value(schema, depth):
            assert isinstance(piece, CallArguments), "a reader of values gave something else"
            parts.append(piece.text)
    except (NotACall, ReplyEnded):
        return None
    return None if source.take_rest().strip() else "".join(parts)


def _escaped_arguments(text: str) -> CallArguments:
    return CallArguments(escaped(text))


def _decoded(characters: str) -> str:
    """The text of a JSON string; halves of surrogate pairs, which no UTF-8 can say, become U+FFFD."""
    text: str = json.loads(f'"{characters}"')
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
