"""What every face asks for, as one story each: lease the model, make the prompt, generate, tell what happens."""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import replace
from functools import lru_cache

from modules.chat.generations import (
    chat_generations,
    completion_generations,
    ignored_parameters,
    logits_generation,
)
from modules.chat.hooked import HookedRequest
from modules.chat.metrics import ReplyMetrics
from modules.chat.replies import reply_events
from modules.chat.work import WorkRegister
from modules.engine.protocols import Engine
from modules.engine.types import Alternative, ModelCard
from modules.events import Event
from modules.hooks import Hooks
from modules.models.pool import ModelPool
from modules.prompt.builder import ChatPrompt, PromptBuilder
from modules.prompt.tokens import checked_ids
from modules.prompt.writer import Written
from modules.reply.format import ReplyContext, choose_format
from modules.requests import ChatRequest, CompletionRequest, LogitsRequest
from modules.sampling import Sampling
from modules.text.control_tokens import ControlTexts

_log = logging.getLogger(__name__)


class ChatService:
    """Answers requests with the model that `models` has loaded. Errors before the first event are the request's own;
    after it, a reply can only break off (EngineFailed)."""

    def __init__(
        self, models: ModelPool, work: WorkRegister, hooks: Hooks | None = None, prompts: PromptBuilder | None = None
    ) -> None:
        self._models = models
        self._work = work
        self._hooks = hooks or Hooks()
        self._prompts = prompts or PromptBuilder()
        self._controls = lru_cache(maxsize=4)(ControlTexts)
        self._named: set[tuple[str, str]] = set()
        self.metrics = ReplyMetrics()

    async def chat(self, request: ChatRequest, *, owner: str) -> AsyncGenerator[Event, None]:
        """A reply to a conversation; the first event is Started. Closing the generator cancels the reply."""
        hooked = HookedRequest(self._hooks, request, owner)
        request = await hooked.chat_request()
        with self._work.open(owner) as work:
            async with hooked.engine(self._lease(request)) as engine:
                self._name_ignored(engine.card, request.sampling)
                written = await self._written(engine, request, hooked)
                reply_format = choose_format(request, self._context(engine.card, written))
                generations = chat_generations(engine.card, request, written, reply_format)
                events = reply_events(
                    engine,
                    generations,
                    work,
                    prompt_tokens=len(written.prompt.tokens),
                    reply_format=reply_format,
                    repairs=written.repairs,
                )
                async with aclosing(hooked.reply(self.metrics.counted(events))) as changed:
                    async for event in changed:
                        yield event

    async def complete(self, request: CompletionRequest, *, owner: str) -> AsyncGenerator[Event, None]:
        """How each prompt goes on; the first event is Started. Closing the generator cancels the reply."""
        hooked = HookedRequest(self._hooks, request, owner)
        request = await hooked.completion_request()
        with self._work.open(owner) as work:
            async with hooked.engine(self._lease(request)) as engine:
                self._name_ignored(engine.card, request.sampling)
                prompts = await self._prompts.completion(engine, request)
                prompts = await hooked.prompts(engine.card, prompts)
                generations = completion_generations(engine.card, request, prompts)
                prompt_tokens = sum(len(prompt.tokens) for prompt in prompts)
                events = reply_events(engine, generations, work, prompt_tokens=prompt_tokens)
                async with aclosing(hooked.reply(self.metrics.counted(events))) as changed:
                    async for event in changed:
                        yield event

    async def next_token(self, request: LogitsRequest) -> list[Alternative]:
        """The most likely next tokens, best first, with natural-log probabilities."""
        async with self._models.lease(request.model) as engine:
            prompt = await self._prompts.raw(engine, request.prompt)
            async with aclosing(engine.generate(logits_generation(request, prompt))) as chunks:
                async for chunk in chunks:
                    if scored := (*chunk.logprobs, chunk.end_logprob)[0]:
                        return list(scored.top)
        return []

    async def card(self, model: str | None = None) -> ModelCard:
        """What is true of the model that answers such requests; it is loaded if it has to be."""
        async with self._models.lease(model) as engine:
            return engine.card

    async def encode(self, text: str, *, add_bos: bool = True, model: str | None = None) -> list[int]:
        """Token ids as a prompt has them: control tokens are read as such, BOS is there where the model wants one."""
        async with self._models.lease(model) as engine:
            return await self._prompts.tokens(engine, text, add_bos=add_bos)

    async def encode_chat(self, request: ChatRequest) -> list[int]:
        """Token ids of a chat request's prompt. Raises what `chat` would."""
        async with self._models.lease(request.model) as engine:
            return list((await self._prompts.chat(engine, request)).prompt.tokens)

    async def decode(self, tokens: Sequence[int], *, model: str | None = None) -> str:
        """Raises BadRequest for ids that the model does not have."""
        async with self._models.lease(model) as engine:
            return await engine.detokenize(checked_ids(engine.card, tokens, param="tokens"))

    async def render(self, request: ChatRequest) -> str:
        """The prompt of a chat request, as text."""
        return (await self.written(request)).text

    async def written(self, request: ChatRequest) -> Written:
        """The same, with what had to be done for the chat template to take the conversation."""
        async with self._models.lease(request.model) as engine:
            return await self._prompts.written(engine.card, request)

    def _lease(self, request: ChatRequest | CompletionRequest) -> AbstractAsyncContextManager[Engine]:
        return self._models.lease(request.model, keep_alive=request.keep_alive)

    async def _written(self, engine: Engine, request: ChatRequest, hooked: HookedRequest) -> ChatPrompt:
        written = await self._prompts.chat(engine, request, hooked)
        prompt = await hooked.prompt(engine.card, written.prompt, written.text, param="messages")
        return replace(written, prompt=prompt)

    def _context(self, card: ModelCard, written: ChatPrompt) -> ReplyContext:
        return ReplyContext(
            template=written.template.source,
            prompt=written.text,
            controls=self._controls(card.control_tokens),
            prefixes=written.reply_prefixes,
            is_thinking=written.is_thinking,
        )

    def _name_ignored(self, card: ModelCard, sampling: Sampling) -> None:
        for name in ignored_parameters(card, sampling):
            if (card.loader, name) not in self._named:
                self._named.add((card.loader, name))
                _log.warning("the %s loader has no %s; requests that set it are answered without", card.loader, name)
