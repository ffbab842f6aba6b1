"""A plan of generations → the events of one reply, to its end or until its owner stops it."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from modules.chat.work import Work
from modules.engine.protocols import Engine
from modules.engine.several import gather_streams
from modules.engine.types import Generation
from modules.events import Event, Started
from modules.reply.split import ReplySplitter


async def reply_events(
    engine: Engine, generations: Sequence[Generation], work: Work, *, prompt_tokens: int
) -> AsyncGenerator[Event, None]:
    """Choice i is what `generations[i]` says. Started comes with the engine's first sign of life, not before: a full
    queue or a refused request is still an error then, and nothing has been promised.
    """
    splitters = [ReplySplitter(i, prompt_tokens=len(each.prompt.tokens)) for i, each in enumerate(generations)]
    started = Started(model=engine.card.name, prompt_tokens=prompt_tokens)
    has_started = False
    async with aclosing(work.until_stopped(gather_streams(engine, generations))) as chunks:
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
