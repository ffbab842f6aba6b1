"""Divides a reply in the Harmony format into thoughts and answer, however broken its headers.

Source: the Harmony response format. A header runs from `<|start|>` or `<|channel|>` to `<|message|>`. One that another
message or `<|end|>` cuts off is left out, and so is the name of a channel that there is not. Calls are left to the tool
format, which reads them with their headers.
"""

import re
from collections.abc import Sequence
from typing import Final

from typing_extensions import override

from modules.reply.reasoning.formats import COMMENTARY, ReplyReasoning
from modules.reply.reasoning.reader import ReasoningReader, Span, SpanKind
from modules.text.held_text import overlap

_START: Final = "<|start|>"
_CHANNEL: Final = "<|channel|>"
_MESSAGE: Final = "<|message|>"
_END: Final = "<|end|>"
_MARKS: Final = (_START, _CHANNEL, _MESSAGE, _END)
_HEADER_END: Final = re.compile("|".join(map(re.escape, (_MESSAGE, _END, _START))))
_MESSAGE_BEGIN: Final = re.compile("|".join(map(re.escape, (_END, _START, _CHANNEL))))
_CHANNEL_NAME: Final = re.compile(re.escape(_CHANNEL) + r"\W*([a-zA-Z]*)")
_RECIPIENT: Final = "to="
# What goes on for longer without an end mark is text.
_LONGEST_HEADER: Final = 200


class HarmonyReader(ReasoningReader):
    """Thoughts and answers may follow one another in any order; behind the header of a call everything is answer."""

    def __init__(self, reasoning: ReplyReasoning) -> None:
        self._thoughts = {each.name: each for each in reasoning.formats}
        self._has_told = False
        super().__init__(reasoning)

    @override
    def _begin(self) -> bool:
        """A message begins, with its header or without."""
        text = self._held.lstrip()
        if not text.startswith((_START, _CHANNEL, _END)):
            if any(mark.startswith(text) for mark in (*_MARKS, _RECIPIENT)):
                return False
            # The rest of a header whose beginning stands in the prompt is a call's.
            self._step = self._answer_to_the_end if text.startswith(_RECIPIENT) else self._answer
            return True
        if text.startswith(_END):
            self._consume(SpanKind.MARKUP, len(self._held) - len(text) + len(_END))
            return True
        return self._read_header(len(self._held) - len(text))

    def _read_header(self, start: int) -> bool:
        end = _HEADER_END.search(self._held, start + 1)
        if end is None:
            if len(self._held) - start < _LONGEST_HEADER:
                return False
            self._step = self._answer_to_the_end
            return True
        if end.group() != _MESSAGE:
            self._consume(SpanKind.MARKUP, end.start())
            return True
        header = self._held[start : end.start()]
        # The tool format reads calls with their headers.
        if _RECIPIENT in header:
            self._consume(SpanKind.MARKUP, start)
            self._step = self._answer_to_the_end
            return True
        self._consume(SpanKind.MARKUP, end.end())
        self._has_told = True
        name = _CHANNEL_NAME.search(header)
        self._enter(self._thoughts.get(name[1].lower()) if name else None)
        return True

    @override
    def _think(self) -> bool:
        found = _MESSAGE_BEGIN.search(self._held)
        if found is None:
            sure = len(self._held) - max(overlap(self._held, mark) for mark in _MARKS)
            self._tell_thought(self._held[:sure])
            self._held = self._held[sure:]
            return False
        self._tell_thought(self._held[: found.start()])
        self._tell(SpanKind.MARKUP, self._blanks.take())
        self._held = self._held[found.start() :]
        self._skips_blanks = True
        self._step = self._begin
        return True

    @override
    def _answer(self, *, is_last: bool = False) -> bool:
        """Up to the next message, which an `<|end|>` alone does not begin."""
        if self._skips_blanks:
            self._consume(SpanKind.MARKUP, len(self._held) - len(self._held.lstrip()))
            self._skips_blanks = not self._held
        found = _NEXT_MESSAGE.search(self._held)
        if found is not None and not is_last:
            self._consume(SpanKind.ANSWER, found.start())
            self._step = self._begin
            return True
        begun = max(overlap(self._held, mark) for mark in _NEXT_MARKS)
        if not is_last:
            self._consume(SpanKind.ANSWER, len(self._held) - begun)
            return False
        # An end mark that closes the last message is markup; anything else that is held back was text.
        self._consume(SpanKind.ANSWER, len(self._held.removesuffix(_END)))
        self._consume(SpanKind.MARKUP, len(self._held))
        return False

    @override
    def close(self) -> Sequence[Span]:
        is_header = self._step == self._begin and self._held.lstrip().startswith((_START, _CHANNEL))
        if is_header and self._has_told and _RECIPIENT not in self._held:
            self._consume(SpanKind.MARKUP, len(self._held))
        return super().close()

    def _answer_to_the_end(self) -> bool:
        self._consume(SpanKind.ANSWER, len(self._held))
        return False


_NEXT_MARKS: Final = (_END + _START, _END + _CHANNEL, _START + "assistant", _CHANNEL)
_NEXT_MESSAGE: Final = re.compile("|".join(map(re.escape, _NEXT_MARKS)))


def reader_of(reasoning: ReplyReasoning) -> ReasoningReader:
    """The reader for replies that are written as `reasoning` says."""
    is_harmony = any(each.end == COMMENTARY.end and each.header == COMMENTARY.header for each in reasoning.formats)
    return HarmonyReader(reasoning) if is_harmony else ReasoningReader(reasoning)
