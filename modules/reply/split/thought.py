"""A thought that may turn out to hold a call: models forget to end their thoughts before they call a tool."""

import re
from collections import deque
from collections.abc import Iterable, Iterator

from modules.reply.reasoning.reader import Kind, Span
from modules.reply.tool_format import CallEnd, Piece, Text, ToolParser


class ThoughtWatch:
    """Holds the spans of a thought back from where a call begins, until the thought ends, which makes the call a mere
    mention, or the reply does.

    `parser` must not drop space around calls; `openers` are what it takes for the beginning of one, other than at the
    beginning of the thought."""

    def __init__(self, parser: ToolParser, openers: Iterable[str]) -> None:
        self._parser = parser
        self._initial = re.compile(f"[{re.escape(''.join(sorted({opener[0] for opener in openers})))}]").search
        self._is_begun = False
        self._spans: deque[Span] = deque()
        self._sure = 0
        self._blanks = 0
        self.has_call = False

    def can_pass(self, text: str) -> bool:
        """Whether `text`, which comes next, is no part of a call and need not be fed."""
        return self._is_begun and not self._spans and not self._initial(text)

    def feed(self, span: Span) -> Iterator[Span]:
        """What is certain to be no call."""
        self._is_begun = True
        self._spans.append(span)
        if span.kind is Kind.THOUGHT:
            self._read(self._parser.feed(span.text))
            yield from self._released(self._sure - self._blanks)

    def end(self) -> Iterator[Span]:
        """All that was held back, when the thought is over. Another may follow."""
        while self._spans:
            yield self._spans.popleft()

    def close(self) -> str:
        """The calls that a reply ends with, in a thought that did not end: "" if there are none."""
        self._read(self._parser.close())
        return "".join(span.text for span in self._spans) if self.has_call else ""

    def _read(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            match piece:
                case Text(text) if not self.has_call:
                    body = text.rstrip()
                    self._blanks = len(text) - len(body) + (0 if body else self._blanks)
                    self._sure += len(text)
                case CallEnd():
                    self.has_call = True

    def _released(self, length: int) -> Iterator[Span]:
        while self._spans and length > 0:
            span = self._spans.popleft()
            if len(span.text) > length:
                self._spans.appendleft(Span(span.kind, span.text[length:]))
                span = Span(span.kind, span.text[:length])
            length -= len(span.text)
            self._sure -= len(span.text)
            yield span
