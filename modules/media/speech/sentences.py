"""Sentences of a text, and those that are complete in one that is still being written."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from modules.media.speech.plain_text import SENTENCE_ENDS, has_open_code, spoken_text

MAX_CHARACTERS: Final = 400
_PAUSE_SECONDS: Final = 0.25
_PARAGRAPH_SECONDS: Final = 0.5
# A mark that ends a sentence, with what closes behind it; in Chinese and Japanese no blank follows.
_END: Final = re.compile(r"[.!?…]+[\"'”’»)\]*_]*(?=\s)|[。！？]+[」』”’）]*")
_LAST_WORD: Final = re.compile(r"([\w.]+)\.$")
_ABBREVIATIONS: Final = frozenset(
    "dr mr mrs ms prof st sr jr rev gen col lt sgt capt hon messrs mme mlle vs etc eg ie e.g i.e cf al approx no nos vol fig "
    "figs sec ch pp ed eds inc ltd co corp dept est min max jan feb mar apr jun jul aug sep sept oct nov dec ave blvd rd "
    "z.b d.h u.a bzw ca nr str usw ggf evtl hr fr sra srta ud uds pág núm av".split()
)
# These end a sentence as often as not; what follows decides.
_MAY_END: Final = frozenset(("etc", "inc", "ltd", "co", "corp", "jr", "sr", "usw", "al"))
# "J." of a name, and "U.S".
_INITIALS: Final = re.compile(r"[^\W\d_](?:\.[^\W\d_])*")
_PARAGRAPH_END: Final = re.compile(r"[^\S\n]*\n\s*\n")
_SOFT_BREAK: Final = re.compile(r"[;:—–,、，；：]\s*|\s+")
_CLAUSE_END: Final = re.compile(r"[;:—–,]+[\"'”’»)]*\s+|[、，；：]+")
_CLAUSE_SECONDS: Final = 0.1
# Where no clause ends a phrase begins with one of these, in the languages that the packaged voices speak best.
_PHRASE_BEGIN: Final = re.compile(
    r"(?<!\bat)(?<!\bin)(?<!\bof)(?<!\bon)(?<!\bto)(?<!\bfor)(?<!\bwith)(?<!\bfrom)\s+"
    r"(?=(?:and|or|but|because|that|which|who|whose|where|when|while|until|unless|although|if|so|than|with|without|from|for|"
    r"at|in|on|into|through|between|before|after|during|und|oder|aber|weil|dass|wenn|während|bevor|nachdem|mit|ohne|durch|"
    r"zwischen|et|ou|mais|parce|que|qui|quand|avec|sans|pour|y|o|pero|porque|cuando|con|sin|para)\s)",
    re.IGNORECASE,
)
# A voice of Kokoro makes this much on one core in less than a second.
_OPENING_CHARACTERS: Final = 40
_LEAST_CLAUSE: Final = 12
# It is made about three times as fast as it is heard.
_GROWTH: Final = 2.5
# How many times that length a piece may have before it is cut within a clause.
_PATIENCE: Final = 1.6


@dataclass(frozen=True, slots=True)
class Sentence:
    """`pause` seconds of silence follow it."""

    text: str
    pause: float


def sentences(text: str, *, is_plain: bool = False) -> list[Sentence]:
    """What is said of `text`, in order; with `is_plain` all of it, Markdown marks too."""
    spoken = text if is_plain else spoken_text(text)
    found: list[Sentence] = []
    for paragraph in re.split(r"\n\s*\n", spoken):
        said = [piece for part in _split(paragraph) for piece in _short(part) if any(map(str.isalnum, piece))]
        found += [Sentence(piece, _PAUSE_SECONDS) for piece in said[:-1]]
        found += [Sentence(piece, _PARAGRAPH_SECONDS) for piece in said[-1:]]
    return found


def opening(sentence: Sentence) -> list[Sentence]:
    """The first sentence of a reading in clauses, or in phrases where a clause is long, because a sentence is heard only when all
    of it is made. None is so much longer than the one before that it is not made while that is heard."""
    text, most, found = sentence.text, float(_OPENING_CHARACTERS), []
    while len(text) > most:
        at, pause = _cut(_CLAUSE_END, text, most), _CLAUSE_SECONDS
        if (at or len(text)) > most * _PATIENCE:
            phrase = _cut(_PHRASE_BEGIN, text, most)
            at, pause = (phrase, 0.0) if phrase and phrase < (at or len(text)) else (at, pause)
        if at is None:
            break
        found.append(Sentence(text[:at].strip(), pause))
        text, most = text[at:].strip(), max(most, at * _GROWTH)
    return [*found, Sentence(text, sentence.pause)]


def _cut(place: re.Pattern[str], text: str, most: float) -> int | None:
    """The last such place within `most` characters, else the first; None where there is none, but for the very ends."""
    ends = [match.end() for match in place.finditer(text)]
    ends = [end for end in ends if _LEAST_CLAUSE <= end <= len(text) - _LEAST_CLAUSE]
    return max((end for end in ends if end <= most), default=ends[0] if ends else None)


class GrowingText:
    """Sentences of a text of which more and more is known: each once, as soon as what follows it has begun."""

    def __init__(self) -> None:
        self._taken = 0

    @property
    def taken(self) -> int:
        """How many characters of the text were taken."""
        return self._taken

    def take(self, text: str) -> list[Sentence]:
        """`text` begins with what it was before."""
        begin, end = self._taken, self._complete_end(text)
        self._taken = end
        found = sentences(text[begin:end])
        if found and not _PARAGRAPH_END.match(text, end):
            found[-1] = Sentence(found[-1].text, _PAUSE_SECONDS)
        return found

    def finish(self, text: str) -> list[Sentence]:
        begin, self._taken = self._taken, len(text)
        return sentences(text[begin:])

    def _complete_end(self, text: str) -> int:
        """Where the last complete sentence ends. Blocks of code are taken in one piece."""
        rest = text[self._taken :]
        for end in sorted({*_ends_of(rest), *_line_ends(rest)}, reverse=True):
            if not has_open_code(rest[:end]):
                return self._taken + end
        return self._taken


def _line_ends(text: str) -> Iterator[int]:
    """Behind lines that are complete by themselves: entries, headings, and those before an empty one."""
    at = 0
    for line in text.splitlines(keepends=True):
        at += len(line)
        spoken = spoken_text(line)
        if line.endswith("\n") and at < len(text) and (not spoken or spoken.endswith(SENTENCE_ENDS)):
            yield at


def _split(paragraph: str) -> Iterator[str]:
    at = 0
    for end in (*_ends_of(paragraph), len(paragraph)):
        part = " ".join(paragraph[at:end].split())
        at = end
        if part:
            yield part


def _ends_of(text: str) -> Iterator[int]:
    """Positions behind the sentences that are followed by more text."""
    for match in _END.finditer(text):
        rest = text[match.end() : match.end() + 80]
        if rest.strip() and _is_end(text[max(0, match.start() - 24) : match.start() + 1], rest, match.group()):
            yield match.end()


def _is_end(before: str, rest: str, mark: str) -> bool:
    """Whether a sentence ends with `mark`, the first character of which is the last of `before`."""
    begins_low = rest.lstrip()[0].islower() and "\n" not in rest[: len(rest) - len(rest.lstrip())]
    word = _LAST_WORD.search(before)
    if mark[0] in "。！？":
        return True
    if mark[0] != "." or mark.startswith("..") or word is None:
        return not begins_low
    stem = word.group(1).lower()
    if stem in _MAY_END:
        return not begins_low
    is_initial = bool(_INITIALS.fullmatch(stem))
    is_entry = stem.isdigit() and before[: word.start()].rpartition("\n")[2].strip() == ""
    return not (begins_low or stem in _ABBREVIATIONS or is_initial or is_entry)


def _short(part: str) -> Iterator[str]:
    """Cut where a speaker would breathe, if it is too long to be said at once."""
    while len(part) > MAX_CHARACTERS:
        breaks = [match.end() for match in _SOFT_BREAK.finditer(part[:MAX_CHARACTERS])]
        marked = [end for end in breaks if end > MAX_CHARACTERS // 3 and part[:end].rstrip()[-1] in ";:—–,、，；："]
        at = (marked or breaks or [MAX_CHARACTERS])[-1]
        yield part[:at].strip()
        part = part[at:].strip()
    if part:
        yield part
