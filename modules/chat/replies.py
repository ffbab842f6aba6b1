"""A plan of generations → the events of one reply, to its end or until its owner stops it."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from modules.chat.work import Work
from modules.engine.fan_out import gather_streams
from modules.engine.protocols import Engine
from modules.engine.types import Generation
from modules.events import Event, Started
from modules.reply.format import PLAIN, ReplyFormat
from modules.reply.split.splitter import ReplySplitter


async def reply_events(
    engine: Engine,
    generations: Sequence[Generation],
    work: Work,
    *,
    prompt_tokens: int,
    reply_format: ReplyFormat = PLAIN,
    repairs: tuple[str, ...] = (),
) -> AsyncGenerator[Event, None]:
    """Choice i is what `generations[i]` says, written as `reply_format` says. Started comes with the engine's first
    sign of life, not before: a full queue or a refused request is still an error then, and nothing has been promised.
    """
    splitters = [
        ReplySplitter(index, prompt_tokens=len(generation.prompt.tokens), reply_format=reply_format)
        for index, generation in enumerate(generations)
    ]
    merged = gather_streams(engine, generations, is_over=lambda index: splitters[index].is_done)
    card = engine.card
    started = Started(model=card.name, prompt_tokens=prompt_tokens, unsupported=card.unsupported, repairs=repairs)
    has_started = False
    async with aclosing(work.until_stopped(merged)) as chunks:
        async for index, chunk in chunks:
            if not has_started:
                has_started = True
                yield started
            for event in splitters[index].feed(chunk):
                yield event
    if not has_started:
        yield started
    for splitter in splitters:
        for event in splitter.cut_short():
            yield event
