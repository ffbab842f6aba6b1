"""A reply that is being written into a notebook, in a task that tabs look at now and then."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace

from modules.errors import ServiceError
from modules.events import Content, Done, Event, Progress, Started
from modules.ui.replies.running import BROKE_DOWN, FRAMES_A_SECOND
from modules.ui.replies.throttle import ReplyPacer

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """`reading` is the share of the prompt that has been read, None once words come; `tokens` are counted at the end."""

    words: str = ""
    reading: float | None = None
    tokens: int | None = None


class Writing:
    """`moment` is what is shown of it by now, which with a `pace` is less than there is."""

    def __init__(self, pace: ReplyPacer) -> None:
        self.moment = Moment()
        self.error: str | None = None
        self.model = ""
        self._read = Moment()
        self._tokens = 0
        self._pace = pace
        self._is_over = False
        self._is_cut = False
        self._changed = asyncio.Event()

    async def run(self, events: AsyncGenerator[Event, None]) -> None:
        """Takes in `events` to their end. What goes wrong is told by `error`."""
        try:
            async with aclosing(events):
                async for event in events:
                    self._add(event)
        except ServiceError as error:
            self.error = error.message
        except Exception:  # noqa: BLE001 - the page tells of it, and the log
            _log.exception("a completion of the notebook failed")
            self.error = BROKE_DOWN
        finally:
            self._is_over = True
            self._wake()

    def cut(self) -> None:
        """What has not been shown yet never will be."""
        self._is_cut = True
        self._read = replace(self._read, words=self.moment.words)
        self._wake()

    async def moments(self) -> AsyncGenerator[Moment, None]:
        """The moment whenever it has changed, a few times a second at most, until all is written."""
        while True:
            changed = self._changed
            if self.moment == self._read:
                if self._is_over:
                    return
                await changed.wait()
                continue
            now = replace(self._read, words=self._pace.passed(self._read.words, self._tokens))
            if now != self.moment:
                self.moment = now
                yield now
            await asyncio.sleep(1 / FRAMES_A_SECOND)

    def _add(self, event: Event) -> None:
        match event:
            case Content() if not self._is_cut:
                self._tokens += len(event.tokens)
                self._read = Moment(words=self._read.words + event.text)
            case Started(model=model):
                self.model = model
                return
            case Progress():
                self._read = replace(self._read, reading=event.prompt.done / max(1, event.prompt.total))
            case Done():
                self._read = replace(self._read, reading=None, tokens=event.usage.completion_tokens)
            case _:
                return
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


@asynccontextmanager
async def written(events: AsyncGenerator[Event, None], pace: ReplyPacer) -> AsyncIterator[Writing]:
    """Reads `events` for as long as the block lasts."""
    writing = Writing(pace)
    task = asyncio.create_task(writing.run(events))
    try:
        yield writing
    finally:
        task.cancel()
        await asyncio.wait([task])
