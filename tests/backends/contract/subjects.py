"""What the contract's tests run on: an engine, and how to get long and telling replies out of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from modules.engine.protocols import Engine
from modules.engine.types import Generation, Prompt
from modules.sampling import Sampling

CONTEXT = 256
PARALLEL = 4
MAX_QUEUE = 16


@dataclass(frozen=True, slots=True)
class Subject:
    """`words` makes a prompt whose reply is long; different numbers get different replies.

    `draws` is False for a backend that says the same whatever the sampling parameters.
    """

    engine: Engine
    words: Callable[[int], str]
    draws: bool

    async def generation(self, number: int = 0, **fields: Any) -> Generation:
        """Greedy and 12 tokens long, if not asked otherwise."""
        tokens = await self.engine.tokenize(self.words(number), special=True)
        wanted = Generation(prompt=Prompt(tuple(tokens)), sampling=Sampling(temperature=0), max_tokens=12)
        return replace(wanted, **fields)

    async def endless(self) -> Generation:
        return await self.generation(max_tokens=None, ignore_eos=True)

    async def filled(self, length: int, **fields: Any) -> Generation:
        """A prompt of exactly `length` tokens."""
        tokens = await self.engine.tokenize("over and " * length, special=False)
        return await self.generation(prompt=Prompt(tuple(tokens[:length])), **fields)


def scripted_words(number: int) -> str:
    return f"echo: {number} 🙂 is the answer of 世界, and a long one."


def model_words(number: int) -> str:
    first = 3 + 10 * number
    return f"🙂 {first}, {first + 1}, {first + 2}, {first + 3}, {first + 4},"
