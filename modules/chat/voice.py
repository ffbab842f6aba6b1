"""A reply that an extension says in the model's place, behind the same seam as a model's own."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from modules.engine.protocols import Engine
from modules.engine.types import Chunk, Finish, Generation, ModelCard, Usage

Speak = Callable[[Generation], AsyncGenerator[str, None]]


class Voice:
    """An engine that says what `speak` yields, piece by piece; tokens are those of the model behind it."""

    def __init__(self, model: Engine, speak: Speak) -> None:
        self._model = model
        self._speak = speak

    @property
    def card(self) -> ModelCard:
        return self._model.card

    @property
    def is_alive(self) -> bool:
        return self._model.is_alive

    async def generate(self, generation: Generation) -> AsyncGenerator[Chunk, None]:
        """Ends with the extension's last word, or at the limit that was asked for."""
        prompt_tokens = len(generation.prompt.tokens)
        left = self.card.context if generation.max_tokens is None else generation.max_tokens
        count = 0
        finish = Finish.STOP
        async with aclosing(self._speak(generation)) as pieces:
            async for piece in pieces:
                text, tokens = piece, await self._model.tokenize(piece, special=False) if piece else []
                if len(tokens) > left - count:
                    tokens, finish = tokens[: left - count], Finish.LENGTH
                    text = await self._model.detokenize(tokens) if tokens else ""
                count += len(tokens)
                yield Chunk(text=text, tokens=tuple(tokens))
                if finish is Finish.LENGTH:
                    break
        yield Chunk(finish=finish, usage=Usage(prompt_tokens, count))

    async def tokenize(self, text: str, *, special: bool) -> list[int]:
        return await self._model.tokenize(text, special=special)

    async def detokenize(self, tokens: Sequence[int]) -> str:
        return await self._model.detokenize(tokens)

    async def aclose(self) -> None:
        """The model belongs to somebody else."""


class Nobody:
    """The engine of a program without a model, for extensions that need none: every letter counts as a token."""

    def __init__(self, context: int) -> None:
        self.card = ModelCard(name="extension", loader="extension", context=context, vocabulary=0x110000)
        self.is_alive = True

    async def generate(self, generation: Generation) -> AsyncGenerator[Chunk, None]:
        yield Chunk(finish=Finish.STOP, usage=Usage(len(generation.prompt.tokens)))

    async def tokenize(self, text: str, *, special: bool) -> list[int]:
        return [ord(letter) for letter in text]

    async def detokenize(self, tokens: Sequence[int]) -> str:
        return "".join(map(chr, tokens))

    async def aclose(self) -> None:
        """Nothing is held."""
