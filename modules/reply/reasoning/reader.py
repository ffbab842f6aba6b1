"""Divides a streamed reply into thoughts, answer and the marks between; nothing is lost or doubled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

from modules.reply.reasoning.formats import ReasoningFormat, ReplyReasoning
from modules.text.held_text import BlankHolder, overlap

# Models begin with a few line breaks; a reply of blanks alone must not be held back without end.
_BLANKS_BEFORE_START: Final = 16
# Blanks at a thought's end are dropped; more of them are part of the text.
_BLANKS_BEFORE_END: Final = 256
# What marks begin with. Before anything else an end mark was only mentioned.
_MARK_BEGINNINGS: Final = "<[]"

# The thought that a mark begins, or None where it begins the answer, and the marks behind that.
_Opening: TypeAlias = tuple[ReasoningFormat | None, tuple[str, ...]]
_PREFIX: Final[_Opening] = (None, ())


class SpanKind(Enum):
    """What a piece of a reply is. MARKUP are tags and the blanks around them, which are not shown."""

    THOUGHT = auto()
    ANSWER = auto()
    MARKUP = auto()


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a reply; the texts of all its spans, joined, are the reply."""

    kind: SpanKind
    text: str


class ReasoningReader:
    """Reads one reply. What it says does not depend on how the reply is cut into pieces, and no piece is looked at
    twice: held back is only what may be the beginning of a tag, or blanks.

    Thoughts are looked for where the reply begins and where a thought has ended, never within an answer. A thought
    without end is thought to the end of the reply. Only replies of models that may leave out the beginning of their
    thoughts wait as a whole, until such a thought's end shows what they were.
    """

    def __init__(self, reasoning: ReplyReasoning) -> None:
        self._openings: dict[str, _Opening] = _openings(reasoning.formats) | dict.fromkeys(reasoning.prefixes, _PREFIX)
        # DeepSeek's and Qwen's templates open the thought in the prompt, and some leave even that out.
        self._implied = next((each for each in reasoning.formats if not each.start), None)
        self._format: ReasoningFormat | None = None
        self._answer_ends: tuple[str, ...] = ()
        self._held = ""
        self._unmarked: list[str] = []
        self._blanks = BlankHolder()
        self._spans: list[Span] = []
        self._skips_blanks = bool(reasoning.prefixes) and not reasoning.is_over
        self._step: Callable[[], bool] = self._begin if reasoning.can_occur else self._answer
        if reasoning.can_occur and reasoning.is_open:
            self._enter(reasoning.formats[0])

    @property
    def is_thinking(self) -> bool:
        """Whether a thought has begun and not ended."""
        return self._step == self._think

    def feed(self, text: str) -> Sequence[Span]:
        """What became certain."""
        self._held += text
        while self._held and self._step():
            pass
        return self._told()

    def close(self) -> Sequence[Span]:
        """What was held back, when the reply is over."""
        if self.is_thinking:
            self._tell_thought(self._held)
            self._tell(SpanKind.MARKUP, self._blanks.take())
        else:
            self._held = "".join(self._unmarked) + self._held
            while self._answer(is_last=True):
                pass
        return self._told()

    # Each step reads from what is held; it returns False when it needs more text, True when another step goes on.

    def _begin(self) -> bool:
        """A message of the reply begins: with a tag, perhaps after blanks, or with the answer itself."""
        text = self._held.lstrip()
        blanks = len(self._held) - len(text)
        # Before waiting for more: a complete mark may also be the beginning of a longer one's header.
        opening = next((mark for mark in self._openings if text.startswith(mark)), None)
        if opening is not None:
            self._consume(SpanKind.MARKUP, blanks + len(opening))
            self._enter(*self._openings[opening])
            return True
        if blanks <= _BLANKS_BEFORE_START and any(mark.startswith(text) for mark in self._openings):
            return False
        self._step = self._await_end if self._implied and self._format is None else self._answer
        return True

    def _think(self) -> bool:
        assert self._format is not None
        before, end, _ = self._held.partition(self._format.end)
        if not end:
            # The last characters may be the beginning of the end tag.
            sure = len(before) - overlap(before, self._format.end)
            self._tell_thought(before[:sure])
            self._held = before[sure:]
            return False
        self._tell_thought(before)
        self._tell(SpanKind.MARKUP, self._blanks.take())
        self._held = self._held[len(before) :]
        self._consume(SpanKind.MARKUP, len(end))
        self._skips_blanks = True
        self._answer_ends = () if self._format.answer else self._format.answer_ends
        self._step = self._begin if self._format.answer else self._answer
        return True

    def _await_end(self) -> bool:
        """A thought that began without a tag shows itself by its end."""
        assert self._implied is not None
        before, end, after = self._held.partition(self._implied.end)
        if end:
            self._enter(self._implied)
            self._held = "".join((*self._unmarked, before, end, after))
            self._unmarked = []
            return True
        sure = len(before) - overlap(before, self._implied.end)
        self._unmarked.append(before[:sure])
        self._held = before[sure:]
        return False

    def _answer(self, *, is_last: bool = False) -> bool:
        if self._skips_blanks:
            self._consume(SpanKind.MARKUP, len(self._held) - len(self._held.lstrip()))
            self._skips_blanks = not self._held
        if self._answer_ends:
            return self._answer_up_to_end(is_last=is_last)
        self._consume(SpanKind.ANSWER, len(self._held))
        return False

    def _answer_up_to_end(self, *, is_last: bool) -> bool:
        """An end mark is one where the reply or another mark follows; otherwise it is mentioned."""
        found = [(self._held.find(end), end) for end in self._answer_ends if end in self._held]
        if not found:
            begun = max(overlap(self._held, end) for end in self._answer_ends)
            text = self._held[: len(self._held) - begun]
            body = text.rstrip()
            body = body if len(text) - len(body) <= _BLANKS_BEFORE_END else text
            self._consume(SpanKind.ANSWER, len(body))
            if is_last:
                self._consume(SpanKind.MARKUP if begun > 1 else SpanKind.ANSWER, len(self._held))
            return False
        place, end = min(found)
        self._consume(SpanKind.ANSWER, len(self._held[:place].rstrip()))
        rest = self._held.lstrip()[len(end) :].lstrip()
        if not rest and not is_last:
            return False
        if rest and rest[0] not in _MARK_BEGINNINGS:
            self._consume(SpanKind.ANSWER, self._held.index(end) + len(end))
            return True
        self._consume(SpanKind.MARKUP, len(self._held) - len(rest))
        self._answer_ends = self._answer_ends[1:]
        return bool(rest)

    def _enter(self, thought: ReasoningFormat | None, answer_ends: tuple[str, ...] = ()) -> None:
        """Go on with a thought, or with the answer when there is none."""
        self._format = thought
        self._answer_ends = answer_ends
        self._skips_blanks = True
        self._step = self._think if thought else self._answer

    def _tell_thought(self, text: str) -> None:
        if self._skips_blanks:
            bare = text.lstrip()
            self._tell(SpanKind.MARKUP, text[: len(text) - len(bare)])
            text, self._skips_blanks = bare, not bare
        self._tell(SpanKind.THOUGHT, self._blanks.feed(text))

    def _consume(self, kind: SpanKind, length: int) -> None:
        self._tell(kind, self._held[:length])
        self._held = self._held[length:]

    def _tell(self, kind: SpanKind, text: str) -> None:
        if text:
            self._spans.append(Span(kind, text))

    def _told(self) -> Sequence[Span]:
        spans, self._spans = self._spans, []
        return spans


def _openings(formats: Sequence[ReasoningFormat]) -> dict[str, _Opening]:
    """Every mark that a message can begin with, and what it begins."""
    marks: dict[str, _Opening] = {}
    for each in formats:
        answer: _Opening = (None, each.answer_ends)
        for mark, opening in ((each.start, (each, ())), (each.answer, answer)):
            if mark:
                marks[mark] = opening
                marks[each.header + mark] = opening
        # Where the prompt has ended the thought, models may end it once more.
        marks.setdefault(each.end, answer if not each.answer else _PREFIX)
    return marks
