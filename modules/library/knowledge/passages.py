"""A document's text → passages of some three hundred tokens, cut where the text has ends. Pure."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

PASSAGE_TOKENS: Final = 300
OVERLAP_TOKENS: Final = 50
# A section or page shorter than this is read together with the next one.
_SMALL_TOKENS: Final = 60
_MAX_HEADING: Final = 200
# Estimates of a token's length: words of Latin script have about four letters a token, other scripts fewer.
_LETTERS: Final = 4.0
_WIDE_LETTERS: Final = 1.5
_HEADING: Final = re.compile(r"(#{1,6})[ \t]+(\S.*?)[ \t]*#*[ \t]*")
_FENCE: Final = re.compile(r"[ \t]*(```|~~~)")
_SENTENCE_END: Final = re.compile(r"[.!?…]['\")\]]*\s+|[。！？]|\n")
_WORD_END: Final = re.compile(r"\s+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of a document, from the offset `start` to `end`. `page` counts from 1 and is 0 where there are none;
    `heading` is that of the section, below those above it."""

    text: str
    start: int
    end: int
    page: int = 0
    heading: str = ""


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is not cut any more. `section` is the place of its heading, and its page."""

    start: int
    end: int
    section: tuple[int, int]
    tokens: float


def passages_of(
    text: str, page_starts: Sequence[int] = (), *, tokens: int = PASSAGE_TOKENS, overlap: int = OVERLAP_TOKENS
) -> list[Passage]:
    """In their order; each repeats the end of the one before it, some `overlap` tokens, unless a section or page begins with
    it.
    `page_starts` are the offsets at which pages begin."""
    headings: list[str] = [""]
    pieces = [
        _Piece(start, end, (heading, bisect_right(page_starts, _first_letter(text, start))), size)
        for start, end, heading, size in _pieces(text, headings, tokens)
    ]
    return [
        Passage(
            text=text[start:end].strip(),
            start=_first_letter(text, start),
            end=end,
            page=page,
            heading=headings[heading],
        )
        for start, end, (heading, page) in _packed(pieces, tokens, overlap)
        if text[start:end].strip()
    ]


def token_estimate(text: str) -> float:
    """About how many tokens a model makes of `text`."""
    plain = len(text) if text.isascii() else sum(letter < "\u0370" for letter in text)
    return plain / _LETTERS + (len(text) - plain) / _WIDE_LETTERS


def _packed(pieces: Sequence[_Piece], tokens: int, overlap: int) -> Iterator[tuple[int, int, tuple[int, int]]]:
    """Start, end and section of each passage."""
    taken: list[_Piece] = []
    for piece in pieces:
        if taken and _is_full(taken, piece, tokens):
            yield taken[0].start, taken[-1].end, taken[0].section
            taken = _repeated(taken, overlap) if piece.section == taken[-1].section else []
        taken.append(piece)
    if taken:
        yield taken[0].start, taken[-1].end, taken[0].section


def _is_full(taken: Sequence[_Piece], piece: _Piece, tokens: int) -> bool:
    size = sum(each.tokens for each in taken)
    begins_section = piece.section != taken[-1].section and size >= _SMALL_TOKENS
    return begins_section or size + piece.tokens > tokens


def _repeated(taken: Sequence[_Piece], overlap: int) -> list[_Piece]:
    """As many whole pieces of the end as fit; never all of them."""
    kept: list[_Piece] = []
    size = 0.0
    for piece in reversed(taken[1:]):
        size += piece.tokens
        if size > overlap:
            break
        kept.insert(0, piece)
    return kept


def _pieces(text: str, headings: list[str], tokens: int) -> Iterator[tuple[int, int, int, float]]:
    """Paragraphs, and parts of those that are too long: start, end, place of the heading and tokens. Headings that are met
    are appended to `headings`."""
    path: list[tuple[int, str]] = []
    for start, end, is_heading in _blocks(text):
        if is_heading is not None:
            path = [*(each for each in path if each[0] < is_heading[0]), is_heading]
            headings.append(" > ".join(title for _, title in path)[-_MAX_HEADING:])
        for first, last in _parts(text, start, end, tokens):
            yield first, last, len(headings) - 1, token_estimate(text[first:last])


def _blocks(text: str) -> Iterator[tuple[int, int, tuple[int, str] | None]]:
    """Start and end of each paragraph; a heading of Markdown begins one, and is given with its level."""
    begin, place, heading = 0, 0, None
    in_code = False
    for line in text.splitlines(keepends=True):
        in_code ^= _FENCE.match(line) is not None
        found = None if in_code else _HEADING.fullmatch(line.strip("\n\r"))
        if found is not None:
            if text[begin:place].strip():
                yield begin, place, heading
            begin, heading = place, (len(found[1]), found[2])
        elif not line.strip() and not in_code and text[begin:place].strip():
            yield begin, place, heading
            begin, heading = place, None
        place += len(line)
    if text[begin:].strip():
        yield begin, len(text), heading


def _parts(text: str, start: int, end: int, tokens: int) -> Iterator[tuple[int, int]]:
    """The paragraph whole, or cut at ends of sentences and lines, of words, or anywhere."""
    if token_estimate(text[start:end]) <= tokens / 2:
        yield start, end
        return
    for first, last in _cut(text, start, end, _SENTENCE_END):
        if token_estimate(text[first:last]) <= tokens / 2:
            yield first, last
        else:
            yield from _by_words(text, first, last, tokens)


def _by_words(text: str, start: int, end: int, tokens: int) -> Iterator[tuple[int, int]]:
    most = max(1, int(tokens / 2 * _WIDE_LETTERS))
    first = start
    for _, last in _cut(text, start, end, _WORD_END):
        if last - first >= most:
            yield from ((place, min(place + most, last)) for place in range(first, last, most))
            first = last
    if first < end:
        yield first, end


def _cut(text: str, start: int, end: int, at: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    first = start
    for found in at.finditer(text, start, end):
        yield first, found.end()
        first = found.end()
    if first < end:
        yield first, end


def _first_letter(text: str, start: int) -> int:
    while start < len(text) - 1 and text[start].isspace():
        start += 1
    return start
