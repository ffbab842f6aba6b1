"""Chat models that are loaded here: prompt builder, engine, reply splitter."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from modules.chatmodels.base import EVERYTHING, ChatModelCard, Operation, RenderedPrompt, RequestScope, Stoppable
from modules.chatmodels.generations import chat_generations, completion_generations, logits_generation, reply_facts
from modules.chatmodels.prompt_hooks import PromptHooks
from modules.engine.fan_out import gather_streams
from modules.engine.protocols import Engine
from modules.engine.types import Adapter, Alternative, Generation, ModelCard
from modules.events import Event, ReplyFacts, Started
from modules.models.fingerprint import Fingerprints
from modules.models.pool import ModelPool
from modules.prompt.builder import ChatPrompt, PromptBuilder
from modules.prompt.tokens import checked_ids
from modules.reply.format import PLAIN, ReplyContext, ReplyFormat, choose_format
from modules.reply.split.splitter import ReplySplitter
from modules.requests import AdapterChoice, ChatRequest, CompletionRequest, LogitsRequest

# The adapters of these names, for models of the loader of that name.
FindAdapters: TypeAlias = Callable[[Sequence[AdapterChoice], str], Awaitable[tuple[Adapter, ...]]]

# A digest of the file of the model of that name.
FindFingerprint: TypeAlias = Callable[[str], Awaitable[str]]

# What callers get for each token that stands for a part of a picture or a sound, as from llama.cpp.
CELL: Final = -1


class LocalModel:
    """A ChatModel over `engine`, for as long as that is leased. `adapters` finds the LoRA adapters that a request names;
    without it there are none. `fingerprint` tells models apart in receipts."""

    def __init__(
        self,
        engine: Engine,
        prompts: PromptBuilder,
        adapters: FindAdapters | None = None,
        fingerprint: FindFingerprint | None = None,
    ) -> None:
        self.engine = engine
        self.prompts = prompts
        self._adapters = adapters
        self._fingerprint = fingerprint

    @property
    def card(self) -> ChatModelCard:
        return local_card(self.engine.card)

    def chat(self, request: ChatRequest, scope: RequestScope) -> AsyncGenerator[Event, None]:
        return self.chat_with(request, scope, PromptHooks(scope.hooks, scope.turn))

    def complete(self, request: CompletionRequest, scope: RequestScope) -> AsyncGenerator[Event, None]:
        return self.complete_with(request, scope, PromptHooks(scope.hooks, scope.turn))

    async def chat_with(
        self, request: ChatRequest, scope: RequestScope, edits: PromptHooks
    ) -> AsyncGenerator[Event, None]:
        """As `chat`, with hooks that remember what prompts they have seen."""
        card = self.engine.card
        adapters = await self._found_adapters(request.adapters)
        written = await self.prompts.chat(self.engine, request, edits)
        prompt = await edits.prompt(card, written.prompt, written.text, param="messages")
        # What hooks made of the tokens is not what the text is read as.
        written = replace(written, prompt=prompt, written=written.written if prompt == written.prompt else "")
        reply_format = choose_format(request, self._reply_context(written))
        predicted = await self._predicted(request.prediction)
        generations = _with_adapters(chat_generations(card, request, written, reply_format, predicted), adapters)
        started = replace(_started(card, len(prompt.tokens)), repairs=written.repairs, lore=written.lore)
        if request.wants_facts:
            started = replace(started, facts=await self._facts(generations, written.template.source))
        said = [_Said() for _ in generations]
        events = _replied(self.engine, generations, scope.work, started, reply_format, said)
        try:
            async with aclosing(events):
                async for event in events:
                    yield event
        finally:
            for each in said:
                text = "".join(each.texts)
                self.prompts.note_reply(self.engine, written, text, each.tokens, ends_call=each.ends_call)

    async def complete_with(
        self, request: CompletionRequest, scope: RequestScope, edits: PromptHooks
    ) -> AsyncGenerator[Event, None]:
        """As `complete`, likewise."""
        card = self.engine.card
        adapters = await self._found_adapters(request.adapters)
        prompts = await edits.prompts(card, await self.prompts.completion(self.engine, request))
        generations = _with_adapters(completion_generations(card, request, prompts), adapters)
        started = _started(card, sum(len(prompt.tokens) for prompt in prompts))
        if request.wants_facts:
            started = replace(started, facts=await self._facts(generations, ""))
        async with aclosing(_replied(self.engine, generations, scope.work, started)) as events:
            async for event in events:
                yield event

    async def next_token(self, request: LogitsRequest) -> list[Alternative]:
        prompt = await self.prompts.raw(self.engine, request.prompt)
        async with aclosing(self.engine.generate(logits_generation(request, prompt))) as chunks:
            async for chunk in chunks:
                if scored := (*chunk.logprobs, chunk.end_logprob)[0]:
                    return list(scored.top)
        return []

    async def count_tokens(self, request: ChatRequest) -> int:
        return len(await self.encode_chat(request))

    async def encode_chat(self, request: ChatRequest) -> list[int]:
        tokens = (await self.prompts.chat(self.engine, request, sizes_only=True)).prompt.tokens
        return [max(token, CELL) for token in tokens]

    async def encode(self, text: str, *, add_bos: bool) -> list[int]:
        return await self.prompts.tokens(self.engine, text, add_bos=add_bos)

    async def decode(self, tokens: Sequence[int]) -> str:
        return await self.engine.detokenize(checked_ids(self.engine.card, tokens, param="tokens"))

    async def render(self, request: ChatRequest) -> RenderedPrompt:
        written = await self.prompts.written(self.engine.card, request)
        return RenderedPrompt(written.text, written.repairs)

    async def _predicted(self, text: str) -> tuple[int, ...]:
        return tuple(await self.prompts.tokens(self.engine, text, add_bos=False)) if text else ()

    async def _facts(self, generations: Sequence[Generation], template: str) -> ReplyFacts:
        card = self.engine.card
        fingerprint = "" if self._fingerprint is None else await self._fingerprint(card.name)
        return reply_facts(card, generations, template, fingerprint)

    async def _found_adapters(self, choices: Sequence[AdapterChoice] | None) -> tuple[Adapter, ...] | None:
        if choices is None or self._adapters is None:
            return None
        return await self._adapters(choices, self.engine.card.loader)

    def _reply_context(self, written: ChatPrompt) -> ReplyContext:
        return ReplyContext(
            template=written.template.source,
            prompt=written.text,
            controls=self.prompts.controls(self.engine.card),
            prefixes=written.reply_prefixes,
            is_thinking=written.is_thinking,
        )


class LocalModels:
    """ChatModels that `pool` loads."""

    def __init__(self, pool: ModelPool, prompts: PromptBuilder) -> None:
        self._pool = pool
        self._prompts = prompts
        self._fingerprints = Fingerprints()

    @asynccontextmanager
    async def lease(self, name: str | None, *, keep_alive: float | None = None) -> AsyncIterator[LocalModel]:
        async with self._pool.lease(name, keep_alive=keep_alive) as engine:
            yield LocalModel(engine, self._prompts, self._pool.find_adapters, self._fingerprint)

    async def _fingerprint(self, name: str) -> str:
        """Empty for a model without a file."""
        return await asyncio.to_thread(lambda: self._fingerprints.of(self._pool.path_of(name)))

    def known_card(self, name: str | None) -> ChatModelCard | None:
        """None for a name that may mean a model that was never loaded."""
        card = self._pool.known_card(name)
        return local_card(card) if card else None


def local_card(card: ModelCard) -> ChatModelCard:
    """What a model that runs here can do: everything but what its backend or its vocabulary lacks."""
    has = {
        Operation.CONSTRAIN: card.can_constrain,
        Operation.SCORE: card.can_score,
        Operation.INFILL: card.infill_tokens is not None,
        Operation.ADAPT: card.can_adapt,
    }
    return ChatModelCard(model=card, operations=EVERYTHING - {operation for operation, can in has.items() if not can})


def _with_adapters(generations: list[Generation], adapters: tuple[Adapter, ...] | None) -> list[Generation]:
    return generations if adapters is None else [replace(each, adapters=adapters) for each in generations]


def _started(card: ModelCard, prompt_tokens: int) -> Started:
    return Started(model=card.name, prompt_tokens=prompt_tokens, unsupported=card.unsupported)


@dataclass(slots=True)
class _Said:
    """A reply as the model wrote it, so far. One that `ends_call` was ended behind a whole call."""

    texts: list[str] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    ends_call: bool = False


async def _replied(
    engine: Engine,
    generations: Sequence[Generation],
    work: Stoppable,
    started: Started,
    reply_format: ReplyFormat = PLAIN,
    said: Sequence["_Said"] = (),
) -> AsyncGenerator[Event, None]:
    """Choice i is what `generations[i]` says, written as `reply_format` says; `said` gathers it as the model wrote it. `started` comes with the engine's first
    sign of life, not before: a full queue or a refused request is still an error then, and nothing has been promised.
    """
    splitters = [
        ReplySplitter(index, prompt_tokens=len(generation.prompt.tokens), reply_format=reply_format)
        for index, generation in enumerate(generations)
    ]
    merged = gather_streams(engine, generations, is_over=lambda index: splitters[index].is_done)
    has_started = False
    async with aclosing(work.until_stopped(merged)) as chunks:
        async for index, chunk in chunks:
            if not has_started:
                has_started = True
                yield started
            if said:
                said[index].texts.append(chunk.text)
                said[index].tokens += chunk.tokens
            for event in splitters[index].feed(chunk):
                # Before Done is given: whoever takes it may ask for nothing more.
                if said:
                    said[index].ends_call = splitters[index].ends_call
                yield event
    if not has_started:
        yield started
    for splitter in splitters:
        for event in splitter.cut_short():
            yield event
