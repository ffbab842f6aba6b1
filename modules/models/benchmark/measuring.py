"""How fast a loaded model is here: prefill, decode, and many replies at once, in about a minute."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from modules.engine.protocols import Engine
from modules.engine.types import Generation, Prompt
from modules.sampling import Sampling

MOST_SECONDS: Final = 60.0
_PREFILLS: Final = (128, 512, 2048)
_STREAMS: Final = (1, 2, 4, 8, 16, 32)
_REPLY: Final = 48
# Short, because the other replies' prompts are read while the first of them is being written.
_OPENING: Final = 8
_WORDS: Final = "river stone lantern orchard copper violin harbor meadow thunder silver market winter garden".split()
Clock = Callable[[], float]


class BenchmarkKind(StrEnum):
    PREFILL = "prefill"
    DECODE = "decode"


@dataclass(frozen=True, slots=True)
class BenchmarkPoint:
    """`tokens` were read, or written by `streams` replies together, in `seconds`. `first` are the seconds to the first
    token, of the last reply that had it."""

    kind: BenchmarkKind
    streams: int
    tokens: int
    seconds: float
    first: float

    @property
    def rate(self) -> float:
        return self.tokens / self.seconds if self.seconds else 0.0


async def benchmark(
    engine: Engine, *, most_seconds: float = MOST_SECONDS, clock: Clock = time.perf_counter
) -> AsyncGenerator[BenchmarkPoint, None]:
    """One point after the other. What would take the whole beyond `most_seconds`, by the points before, is left out; the
    shortest prefill and a single reply are always measured. Raises what the engine raises."""
    started = clock()
    texts = _Texts(engine)
    await _asked(engine, await texts.tokens(_OPENING), 2, clock)
    before: BenchmarkPoint | None = None
    for count in _PREFILLS:
        if count + _REPLY > engine.card.context or (
            before and _left(started, most_seconds, clock) < _next(before, count)
        ):
            break
        first, _, _ = await _asked(engine, await texts.tokens(count), 1, clock)
        before = BenchmarkPoint(BenchmarkKind.PREFILL, 1, count, first, first)
        yield before
    before = None
    for streams in _streams(engine.card.parallel):
        tokens = streams * _REPLY
        if before and _left(started, most_seconds, clock) < _next(before, tokens):
            return
        before = await _decoded(engine, [await texts.tokens(_OPENING) for _ in range(streams)], clock)
        yield before


def _streams(parallel: int) -> Iterator[int]:
    yield from (count for count in _STREAMS if count <= max(1, parallel))


def _left(started: float, most_seconds: float, clock: Clock) -> float:
    return started + most_seconds - clock()


def _next(before: BenchmarkPoint, tokens: int) -> float:
    """At the worst: as slow for each token as the point before."""
    return tokens / before.rate if before.rate else 0.0


async def _decoded(engine: Engine, prompts: list[tuple[int, ...]], clock: Clock) -> BenchmarkPoint:
    """From the first token of the first of them to the last token of the last."""
    replies: list[Awaitable[tuple[float, float, int]]] = [_asked(engine, prompt, _REPLY, clock) for prompt in prompts]
    found = await asyncio.gather(*replies)
    end = max(seconds for _, seconds, _ in found)
    begin = min(first for first, _, _ in found)
    # A first token is the prompt's work.
    tokens = sum(count for _, _, count in found) - len(found)
    return BenchmarkPoint(BenchmarkKind.DECODE, len(prompts), tokens, end - begin, max(first for first, _, _ in found))


async def _asked(engine: Engine, prompt: tuple[int, ...], count: int, clock: Clock) -> tuple[float, float, int]:
    """Seconds to the first token and to the last, and how many there were."""
    generation = Generation(prompt=Prompt(prompt), sampling=Sampling(temperature=0), max_tokens=count, ignore_eos=True)
    started, first, tokens = clock(), 0.0, 0
    async with aclosing(engine.generate(generation)) as chunks:
        async for chunk in chunks:
            tokens += len(chunk.tokens)
            if chunk.tokens and not first:
                first = clock() - started
            if chunk.usage is not None:
                tokens = chunk.usage.completion_tokens
    seconds = clock() - started
    return first or seconds, seconds, tokens


class _Texts:
    """Prompts that have nothing in common, so that none is found in the prefix cache."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._draw = random.Random()

    async def tokens(self, count: int) -> tuple[int, ...]:
        draw = self._draw
        words = " ".join(f"{draw.choice(_WORDS)} {draw.randrange(1000)}" for _ in range(count))
        found = await self._engine.tokenize(f"{draw.getrandbits(64)} {words}", special=False)
        return tuple(found[:count])
