"""One job's tokens → chunks: joins bytes to characters, cuts at stop strings, counts tokens."""

import codecs
import time
from collections import Counter, deque
from dataclasses import dataclass, replace
from typing import Final

from modules.engine.media import count_cells
from modules.engine.protocols import Drafter, Output
from modules.engine.stops import Released, StopScanner
from modules.engine.types import Chunk, Finish, Generation, MediaKind, TokenLogprob, Usage


@dataclass(frozen=True, slots=True)
class _Printed:
    """A token that waits for its text to be released; `length` in characters, 0 while its character is incomplete."""

    token: int
    length: int
    logprob: TokenLogprob | None
    drafted_by: Drafter | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Tokens that were drafted in vain, and how many of them came from the request's prediction."""

    all: int = 0
    predicted: int = 0

    def and_of(self, output: Output) -> "Rejected":
        return Rejected(self.all + output.rejected, self.predicted + output.mispredicted)


_NOTHING: Final = Rejected()
_START: Final = (0,)


@dataclass(slots=True)
class ReplyTimes:
    """When a reply was asked for, when the first step for it began, when its first token came; by `time.monotonic`."""

    asked: float
    began: float = 0.0
    first_token: float = 0.0

    def timed(self, usage: Usage) -> Usage:
        now = time.monotonic()
        began = self.began or now
        first = self.first_token or now
        return replace(
            usage,
            queue_ms=(began - self.asked) * 1000 if self.asked else 0.0,
            prefill_ms=(first - began) * 1000,
            decode_ms=(now - first) * 1000,
        )


class ReplyText:
    """The reply of one job so far. `feed` turns each output into at most one chunk; after one with `finish` it is over.

    `room` is the number of tokens that the model's context leaves for the reply; it was `asked` for at that time.
    """

    def __init__(self, generation: Generation, *, room: int, asked: float = 0.0) -> None:
        self._generation = generation
        self._times = ReplyTimes(asked)
        prompt = generation.prompt
        self._images = count_cells(prompt, MediaKind.IMAGE)
        self._sounds = count_cells(prompt, MediaKind.AUDIO)
        self._limit = room if generation.max_tokens is None else min(generation.max_tokens, room)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stops = StopScanner(generation.stop)
        self._waiting: deque[_Printed] = deque()
        self._surplus = 0
        self._count = 0
        self._cached = self._from_disk = self._shared = self._moved = self._prompt_steps = 0
        self._drafted: Counter[Drafter | None] = Counter()
        self._rejected = Rejected()
        self._untold = _NOTHING

    @property
    def usage(self) -> Usage:
        return Usage(
            len(self._generation.prompt.tokens),
            self._count,
            self._cached,
            accepted_tokens=_accepted(self._drafted),
            rejected_tokens=self._rejected.all,
            forced_tokens=self._drafted[Drafter.CONSTRAINT],
            predicted_tokens=self._drafted[Drafter.PREDICTION],
            mispredicted_tokens=self._rejected.predicted,
            has_prediction=bool(self._generation.prediction),
            image_tokens=self._images,
            audio_tokens=self._sounds,
            disk_tokens=self._from_disk,
            shared_tokens=self._shared,
            moved_tokens=self._moved,
            prompt_steps=self._prompt_steps,
        )

    def feed(self, output: Output, began: float = 0.0) -> Chunk | None:
        """`began` is when the step of this output did."""
        if not self._times.first_token:
            self._time(output, began)
        if output.progress is not None:
            progress = output.progress
            self._prompt_steps += 1
            self._cached, self._from_disk = progress.cached, progress.from_disk
            self._shared, self._moved = progress.shared, progress.moved
        if output.rejected:
            self._rejected = self._rejected.and_of(output)
            self._untold = self._untold.and_of(output)
        if output.token is None or output.token in self._generation.stop_token_ids:
            return self._without_token(output)
        return self._with_token(output)

    def _time(self, output: Output, began: float) -> None:
        self._times.began = self._times.began or began
        if output.token is not None:
            self._times.first_token = time.monotonic()

    def _without_token(self, output: Output) -> Chunk | None:
        stop_reason = output.stop_token if output.token is None else output.token
        finish = output.finish if output.token is None else Finish.STOP
        if finish is not None:
            return self._finish(self._flush(), finish, stop_reason, output)
        if output.progress is None and output.prompt_logprobs is None:
            return None
        return self._chunk(Released(""), output)

    def _with_token(self, output: Output) -> Chunk | None:
        assert output.token is not None
        text = self._decoder.decode(output.data)
        if text and self._is_plain(output):
            self._count += 1
            return Chunk(text=text, tokens=(output.token,), starts=_START, logprobs=_of_one(output.logprob))
        self._count += 1
        self._drafted[output.drafted_by] += 1
        self._waiting.append(_Printed(output.token, len(text), output.logprob, output.drafted_by))
        released = self._stops.feed(text)
        if released.stop is not None:
            return self._finish(released, Finish.STOP, None, output)
        if output.finish is not None or self._count >= self._limit:
            rest = self._flush()
            whole = Released(released.text + rest.text, rest.stop)
            return self._finish(whole, output.finish or Finish.LENGTH, output.stop_token, output)
        if not released.text and output.prompt_logprobs is None and output.progress is None:
            return None
        return self._chunk(released, output)

    def _is_plain(self, output: Output) -> bool:
        """Whether its token is said alone and at once, as nearly all are: that is made quick."""
        return (
            self._stops.is_idle
            and not self._waiting
            and not self._surplus
            and output.finish is None
            and output.drafted_by is None
            and output.progress is None
            and output.prompt_logprobs is None
            and self._untold is _NOTHING
            and self._count + 1 < self._limit
        )

    def _flush(self) -> Released:
        """What was held back. Bytes of a character that never became whole are no text: the reply ends before it."""
        return self._stops.flush()

    def _finish(
        self,
        released: Released,
        finish: Finish,
        stop_reason: int | None,
        output: Output,
    ) -> Chunk:
        if released.stop is not None:
            return self._chunk(released, output, Finish.STOP, released.stop)
        return self._chunk(released, output, finish, stop_reason)

    def _chunk(
        self,
        released: Released,
        output: Output,
        finish: Finish | None = None,
        stop_reason: str | int | None = None,
    ) -> Chunk:
        printed = self._released_tokens(len(released.text), everything=finish is not None and released.stop is None)
        drafted = Counter(entry.drafted_by for _, entry in printed)
        untold, self._untold = self._untold, _NOTHING
        return Chunk(
            text=released.text,
            tokens=tuple(entry.token for _, entry in printed),
            starts=tuple(start for start, _ in printed),
            logprobs=tuple(entry.logprob for _, entry in printed if entry.logprob is not None),
            prompt_logprobs=output.prompt_logprobs,
            progress=output.progress,
            finish=finish,
            stop_reason=stop_reason,
            end_logprob=output.logprob if output.token is None else None,
            usage=self._times.timed(self.usage) if finish is not None else None,
            embedding=output.embedding,
            accepted=_accepted(drafted),
            rejected=untold.all,
            forced=drafted[Drafter.CONSTRAINT],
            predicted=drafted[Drafter.PREDICTION],
            mispredicted=untold.predicted,
        )

    def _released_tokens(self, length: int, *, everything: bool) -> list[tuple[int, _Printed]]:
        """Tokens whose text begins within the next `length` released characters, and at which of these."""
        printed: list[tuple[int, _Printed]] = []
        available = length + self._surplus
        while self._waiting and (everything or self._is_next_covered(available)):
            entry = self._waiting.popleft()
            printed.append((length - available, entry))
            available -= entry.length
        self._surplus = available
        return printed

    def _is_next_covered(self, available: int) -> bool:
        """True when the next token that prints something begins within `available` characters."""
        return available > 0 and any(entry.length for entry in self._waiting)


def _of_one(logprob: TokenLogprob | None) -> tuple[TokenLogprob, ...]:
    return () if logprob is None else (logprob,)


def _accepted(drafted: "Counter[Drafter | None]") -> int:
    """What was forced had not to be guessed."""
    return sum(count for drafter, count in drafted.items() if drafter not in (None, Drafter.CONSTRAINT))
