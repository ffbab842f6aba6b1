"""Replies that an extension says in the model's place."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Final, TypeAlias

from modules.chatmodels.base import ChatModel, ChatModelCard, ChatModels, RenderedPrompt, RequestScope
from modules.chatmodels.hook_values import checked
from modules.chatmodels.local import LocalModel, local_card
from modules.chatmodels.prompt_hooks import PromptHooks
from modules.engine.media import unreadable
from modules.engine.protocols import Engine
from modules.engine.types import Alternative, Chunk, Finish, Generation, MediaShape, ModelCard, Usage
from modules.errors import NotLoaded
from modules.events import Event
from modules.hooks import ReplyHook, Turn
from modules.prompt.builder import PromptBuilder
from modules.requests import ChatRequest, CompletionRequest, LogitsRequest

# No prompt is too long for a program without a model.
_BOUNDLESS: Final = 2**24

Speak: TypeAlias = Callable[[Generation], AsyncGenerator[str, None]]


class ExtensionModel:
    """A ChatModel whose replies the hook `says` gives; whatever else is asked, `model` answers.

    Prompts and counts of tokens are those of `model` where it runs here. Elsewhere, and without any (`missing` is why),
    every letter counts as a token.
    """

    def __init__(
        self, model: ChatModel | None, says: ReplyHook, prompts: PromptBuilder, *, missing: NotLoaded | None = None
    ) -> None:
        self._model = model
        self._says = says
        self._missing = missing
        self._local = model if isinstance(model, LocalModel) else LocalModel(NullEngine(context=_BOUNDLESS), prompts)

    @property
    def card(self) -> ChatModelCard:
        return local_card(self._local.engine.card)

    async def chat(self, request: ChatRequest, scope: RequestScope) -> AsyncGenerator[Event, None]:
        edits = PromptHooks(scope.hooks, scope.turn)
        async with aclosing(self._speaking(scope.turn, edits).chat_with(request, scope, edits)) as events:
            async for event in events:
                yield event

    async def complete(self, request: CompletionRequest, scope: RequestScope) -> AsyncGenerator[Event, None]:
        edits = PromptHooks(scope.hooks, scope.turn)
        async with aclosing(self._speaking(scope.turn, edits).complete_with(request, scope, edits)) as events:
            async for event in events:
                yield event

    async def next_token(self, request: LogitsRequest) -> list[Alternative]:
        return await self._behind.next_token(request)

    async def count_tokens(self, request: ChatRequest) -> int:
        return await self._behind.count_tokens(request)

    async def encode_chat(self, request: ChatRequest) -> list[int]:
        return await self._behind.encode_chat(request)

    async def encode(self, text: str, *, add_bos: bool) -> list[int]:
        return await self._behind.encode(text, add_bos=add_bos)

    async def decode(self, tokens: Sequence[int]) -> str:
        return await self._behind.decode(tokens)

    async def render(self, request: ChatRequest) -> RenderedPrompt:
        return await self._behind.render(request)

    @property
    def _behind(self) -> ChatModel:
        if self._model is None:
            raise self._missing or NotLoaded("No model is loaded.")
        return self._model

    def _speaking(self, turn: Turn, edits: PromptHooks) -> LocalModel:
        async def speak(generation: Generation) -> AsyncGenerator[str, None]:
            said = self._says(replace(turn, prompt=edits.text_of(generation.prompt)))
            async with aclosing(said) as pieces:
                async for piece in pieces:
                    yield checked("reply", self._says, piece)

        return LocalModel(ExtensionEngine(self._local.engine, speak), self._local.prompts)


class ExtensionModels:
    """`models`, each with the replies of the hook `says`, which needs none of them."""

    def __init__(self, models: ChatModels, says: ReplyHook, prompts: PromptBuilder) -> None:
        self._models = models
        self._says = says
        self._prompts = prompts

    @asynccontextmanager
    async def lease(self, name: str | None, *, keep_alive: float | None = None) -> AsyncIterator[ExtensionModel]:
        async with AsyncExitStack() as stack:
            model, missing = None, None
            try:
                model = await stack.enter_async_context(self._models.lease(name, keep_alive=keep_alive))
            except NotLoaded as error:
                missing = error
            yield ExtensionModel(model, self._says, self._prompts, missing=missing)

    def known_card(self, name: str | None) -> ChatModelCard | None:
        """None, since what the model lacks does not matter to replies that it does not give."""
        return None


class ExtensionEngine:
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

    async def media_tokens(self, shape: MediaShape) -> list[int]:
        return await self._model.media_tokens(shape)

    async def aclose(self) -> None:
        """The model belongs to somebody else."""


class NullEngine:
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

    async def media_tokens(self, shape: MediaShape) -> list[int]:
        raise unreadable(shape.kind)

    async def aclose(self) -> None:
        """Nothing is held."""
