"""Reads a value written in JSON, Python or a similar notation, and passes it on as JSON.

What is JSON already passes through as it stands. What the schema or JSON itself wants otherwise is put right on the way:
types, quotes, bare keys, raw line breaks, trailing commas.
"""

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from modules.reply.syntax.schema import Schema, escaped, quoted, scalar_of_text, scalar_of_token
from modules.reply.syntax.source import MarkerScanner, NotACall, ReplyEnded, ReplySource, Steps, collected, led_by
from modules.reply.tool_format import CallArguments

# Reading recurses with the nesting, which a model in a loop deepens without end.
_MAX_DEPTH = 64
# Strings among a call's own arguments, where a name and `=` may follow a comma.
_ARGUMENT_DEPTH = 1
_ANY_DEPTH = 0
_TOKEN = re.compile(r"[\w.+-]*")
# JavaScript's keys without quotes.
_BARE_KEY = re.compile(r"[\w.$-]*")
_HEX = re.compile(r"[0-9a-fA-F]+")
_CODE_LENGTHS = {"x": 2, "u": 4, "U": 8}
_NAME = re.compile(r"\w*")
_PREFIX_LETTERS = "rRbBuUfF"
_PREFIXES = ("", "r", "R", "b", "B", "u", "U", "f", "F", "rb", "Rb", "rB", "br", "Br", "rf", "Rf", "fr", "Fr", "fR")
_CLOSERS = {"{": "}", "[": "]", "(": ")"}
_TRIPLE = 3


@dataclass(frozen=True, slots=True)
class Notation:
    """How strings are quoted: by `quotes` with backslash escapes, or by `raw_quotes` as they are.

    With `is_python`, strings have prefixes and are joined with those behind them, and a quote without a backslash may
    stand within a string, as templates write it that quote without escaping.
    """

    quotes: tuple[str, ...] = ('"', "'")
    raw_quotes: tuple[str, ...] = ()
    is_python: bool = False

    @property
    def openers(self) -> tuple[str, ...]:
        if self.is_python:
            return tuple(prefix + quote for prefix in _PREFIXES for quote in self.quotes)
        return self.quotes + self.raw_quotes


JSON = Notation()
PYTHON = Notation(quotes=('"""', "'''", '"', "'"), is_python=True)

MemberReader = Callable[[str, str], Steps[None]]


class ValueReader:
    """Reads values in `notation` from `source`.

    Every method that reads raises NotACall where what stands there is no such value.
    """

    def __init__(self, source: ReplySource, notation: Notation = JSON) -> None:
        self._source = source
        self._notation = notation
        self._openers = notation.openers

    def value(self, schema: Schema, depth: int = 0) -> Steps[None]:
        if depth > _MAX_DEPTH:
            raise NotACall
        opener = yield from self._source.literal(*self._openers, *_CLOSERS)
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

        # Only the outermost brace can be missing because the model stopped; inner ones are followed by more.
        required = None if depth else schema.required
        yield CallArguments("{")
        rest = yield from self.members(member, closer=closer, colon=colon, required=required)
        yield CallArguments(rest + "}")

    def members(
        self,
        member: MemberReader,
        *,
        closer: str = "}",
        colon: str = ":",
        required: Collection[str] | None = None,
    ) -> Steps[str]:
        """The members of an object up to its `closer`, and the space before that; `member` is given each key and what
        precedes the value in JSON, and reads the value. The closer may be missing where the call ends and all the
        `required` keys were there."""
        given: set[str] = set()
        lead = yield from self._source.space()
        while not (yield from self._source.literal(closer)):
            key, written = yield from self._key(colon)
            yield from member(key, lead + written)
            given.add(key)
            if required is not None and given.issuperset(required) and (yield from self._is_call_over()):
                return ""
            lead = yield from self._source.space()
            if not (yield from self._source.literal(",")):
                yield from self._source.expect(closer)
                return lead
            lead += "," + (yield from self._source.space())
        return ""

    def string_text(self) -> Steps[str]:
        """The text of a string.

        Raises:
            NotACall: what comes is no string.
        """
        opener = yield from self._source.expect(*self._openers)
        return _decoded((yield from collected(self._characters(opener))))

    def _is_call_over(self) -> Steps[bool]:
        """Whether the reply ends here, or the call does by what stands behind calls, which stays to be read."""
        source, blanks, closer = self._source, "", ""
        try:
            blanks = yield from source.space()
            closer = (yield from source.literal(*source.closers)) if source.closers else ""
        except ReplyEnded:
            if source.is_finished:
                return True
            raise
        source.put_back(closer or blanks)
        return bool(closer)

    def _key(self, colon: str) -> Steps[tuple[str, str]]:
        """A key, and the JSON that says it with its colon and the space around that."""
        opener = yield from self._source.literal(*self._openers)
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
        yield from self._elements(items, closer, depth)
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
            yield from self._characters(opener, depth)
            yield CallArguments('"')
        else:
            text = _decoded((yield from collected(self._characters(opener, depth))))
            yield CallArguments(json_of_text(text, schema, depth + 1))

    def _characters(self, opener: str, depth: int = 0) -> Steps[None]:
        """The text of a string behind its `opener`, and of those it is joined with, escaped as in JSON."""
        while opener:
            if self._notation.is_python:
                yield from self._python_characters(opener, depth)
                opener = yield from self._joined_opener()
            elif opener in self._notation.raw_quotes:
                scanner = MarkerScanner((opener,))
                while True:
                    yield from self._source.until(scanner, _escaped_arguments)
                    if (yield from self._is_closed(_ANY_DEPTH)):
                        return
                    yield CallArguments(escaped(opener))
            else:
                scanner = MarkerScanner((opener, "\\"))
                while (yield from self._source.until(scanner, _escaped_arguments)) != opener:
                    yield CallArguments((yield from self._escape()))
                opener = ""

    def _python_characters(self, opener: str, depth: int) -> Steps[None]:
        quote = opener.lstrip(_PREFIX_LETTERS)
        prefix = opener[: -len(quote)].lower()
        scanner = MarkerScanner((quote, "\\", "{{", "}}") if "f" in prefix else (quote, "\\"))
        while True:
            marker = yield from self._source.until(scanner, _escaped_arguments)
            if marker == quote:
                # Three quotes in a row do not occur within a text by accident.
                if len(quote) == _TRIPLE or (yield from self._is_closed(depth)):
                    return
                yield CallArguments(escaped(quote))
            elif marker != "\\":
                yield CallArguments(marker[0])
            # In a raw string a backslash is a character, but the quote behind it still does not end the string.
            elif "r" in prefix:
                yield from self._source.peek()
                yield CallArguments(escaped("\\" + self._source.take(1)))
            else:
                yield CallArguments((yield from self._escape()))

    def _joined_opener(self) -> Steps[str]:
        """The opener of a string that directly follows another."""
        blanks = ""
        try:
            blanks = yield from self._source.space()
            opener = yield from self._source.literal(*self._openers)
        except ReplyEnded:
            return ""
        if not opener:
            self._source.put_back(blanks)
        return opener

    def _is_closed(self, depth: int) -> Steps[bool]:
        """Whether the quote that was just read ends its string: what follows could not stand there otherwise."""
        ahead: list[str] = []
        try:
            closed = yield from self._can_follow_string(ahead, depth)
        except ReplyEnded:
            closed = True
        self._source.put_back("".join(ahead))
        return closed

    def _can_follow_string(self, ahead: list[str], depth: int) -> Steps[bool]:
        """Reads on from a string; everything that was read is in `ahead`."""
        source = self._source
        ahead.append((yield from source.space()))
        ahead.append((yield from source.literal(",", ")", "]", "}", ":", *self._openers, *source.closers)))
        if depth != _ARGUMENT_DEPTH or ahead[-1] not in {",", ")"}:
            return bool(ahead[-1]) and (depth != _ARGUMENT_DEPTH or ahead[-1] not in {"]", "}", ":"})
        is_last = ahead[-1] == ")"
        ahead.append((yield from source.space()))
        if is_last:
            follower = yield from source.literal(",", ";", "]", *source.closers)
            is_line_end = "\n" in ahead[-1]
            ahead.append(follower)
            return bool(follower) or is_line_end
        ahead.append((yield from source.run(_NAME)))
        has_name = bool(ahead[-1])
        ahead.append((yield from source.space()))
        ahead.append((yield from source.literal("=" if has_name else ")")))
        return bool(ahead[-1])

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
        # JSON knows \u only; a lone half of a surrogate pair is replaced when the text is decoded.
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
    source = ReplySource(text)
    source.end(is_cut=True)
    parts = []
    try:
        for piece in ValueReader(source).value(schema, depth):
            assert isinstance(piece, CallArguments), "a reader of values gave something else"
            parts.append(piece.text)
    except (NotACall, ReplyEnded):
        return None
    # A value with something behind it was text that only begins like one.
    return None if source.take_rest().strip() else "".join(parts)


def _escaped_arguments(text: str) -> CallArguments:
    return CallArguments(escaped(text))


def _decoded(characters: str) -> str:
    """The text of a JSON string; halves of surrogate pairs, which no UTF-8 can say, become U+FFFD."""
    text: str = json.loads(f'"{characters}"')
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
