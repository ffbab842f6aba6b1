"""Replies no faster than one wants to read them."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from modules.ui.replies.draft import ReplyDraft
from modules.ui.replies.running import FRAMES_A_SECOND, RunningReply

# Only for the pace; nothing is counted with it.
_LETTERS_PER_TOKEN: Final = 4


class ReplyPacer:
    """`rate` is in tokens a second; 0 sets no bound. The clock starts with the first words."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._begun: float | None = None
        self._length = 0

    def passed(self, words: str, tokens: int) -> str:
        """As much of `words`, which are `tokens` and only ever grow, as may be shown by now; never less than before."""
        if not self._rate:
            return words
        if self._begun is None and words:
            self._begun = self._clock()
        if self._begun is None or not tokens:
            return words[: self._length]
        # One token is there at once; how long each one is, only their average says.
        allowed = 1 + (self._clock() - self._begun) * self._rate
        self._length = max(self._length, round(len(words) * min(1.0, allowed / tokens)))
        return words[: self._length]


async def paced_drafts(reply: RunningReply, rate: float) -> AsyncGenerator[ReplyDraft, None]:
    """As `reply.frames`, its words no faster than `rate` tokens a second, until all has been shown or the reply is to be
    shown at once. The words that it goes on with are there at once."""
    pace, shown = ReplyPacer(rate), 0
    while not (reply.is_stopped or reply.is_shown_at_once or (reply.is_over and shown == len(reply.draft.content))):
        words, known = reply.draft.content, reply.known_words
        shown = known + len(pace.passed(words[known:], max(1, (len(words) - known) // _LETTERS_PER_TOKEN)))
        yield replace(reply.draft, content=words[:shown])
        await asyncio.sleep(1 / FRAMES_A_SECOND)
    async with aclosing(reply.frames()) as rest:
        async for draft in rest:
            yield draft
