"""A process that holds conversations with a tiny model, until it is killed."""

import asyncio
import random
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import Generation, Prompt
from modules.sampling import Sampling
from tests.backends.loading import llama_engine, llama_spec
from tests.streams import whole

# Each process goes on with what others of its number were about to say.
CONVERSATIONS: Final = 12
TURNS: Final = 6
COUNT: Final = 8
# In GiB: some of the conversations fit.
LIMIT: Final = 2 / 1024
_CONTEXT: Final = 1024


def talk(model: str, folder: str, number: int, told: Connection) -> None:
    """Tells of each reply: its prompt, its tokens, and how many of the prompt's came from disk."""
    asyncio.run(_talk(Path(model), folder, number % CONVERSATIONS, told))


async def _talk(model: Path, folder: str, number: int, told: Connection) -> None:
    spec = llama_spec(
        model, context=_CONTEXT, parallel=2, cache_folder=folder, cache_disk=LIMIT, self_test=False, flash_attn="on"
    )
    async with llama_engine(LlamaCppLoader(), spec) as engine:
        told.send(None)
        while True:
            await asyncio.gather(*(_converse(engine, number + other, told) for other in range(2)))
            number += 1


async def _converse(engine: ThreadedEngine, number: int, told: Connection) -> None:
    rng = random.Random(number % CONVERSATIONS)
    tokens: list[int] = []
    for _ in range(TURNS):
        tokens += [rng.randrange(3, 259) for _ in range(100)]
        generation = Generation(prompt=Prompt(tuple(tokens)), sampling=Sampling(temperature=0), max_tokens=COUNT)
        reply = await whole(engine, generation)
        assert reply.usage is not None
        told.send((tuple(tokens), reply.tokens, reply.usage.disk_tokens))
        tokens += reply.tokens
