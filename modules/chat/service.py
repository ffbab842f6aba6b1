"""Replies and questions to models: run the hooks, lease the model, ask it, pass its events on."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import TypeAlias, TypeVar

from modules.chat.files import with_read_files
from modules.chat.metrics import ReplyMetrics
from modules.chat.prefix.repair import PrefixRepair, Repaired
from modules.chat.request_hooks import RequestHooks
from modules.chat.work import WorkRegister
from modules.chatmodels.base import (
    ChatModel,
    ChatModelCard,
    ChatModels,
    Operation,
    RenderedPrompt,
    RequestScope,
    require_all,
)
from modules.engine.types import Alternative, ModelCard
from modules.events import Event
from modules.hooks import Hooks
from modules.media.pictures.sources import Sources
from modules.requests import ChatRequest, CompletionRequest, LogitsRequest
from modules.sampling import Sampling

_log = logging.getLogger(__name__)
_Request = TypeVar("_Request", ChatRequest, CompletionRequest)
# Which of a model's two ways to reply is asked.
_Ask: TypeAlias = Callable[[ChatModel], Callable[[_Request, RequestScope], AsyncGenerator[Event, None]]]


class ChatService:
    """Answers requests with what `models` has under their names. Errors before the first event are the request's own;
    after it, a reply can only break off (EngineFailed)."""

    def __init__(
        self,
        models: ChatModels,
        work: WorkRegister,
        hooks: Hooks | None = None,
        sources: Sources | None = None,
        prefixes: PrefixRepair | None = None,
    ) -> None:
        self._prefixes = prefixes or PrefixRepair(())
        self._sources = sources or Sources()
        self._models = models
        self._work = work
        self._hooks = hooks or Hooks()
        self._named: set[tuple[str, str]] = set()
        self.metrics = ReplyMetrics()

    async def chat(self, request: ChatRequest, *, owner: str) -> AsyncGenerator[Event, None]:
        """A reply to a conversation; the first event is Started. Closing the generator cancels the reply."""
        request = await self._with_files(request)
        hooks = RequestHooks(self._hooks, request, owner)
        repaired = await self._prefixes.repaired(await hooks.chat_request(), owner)
        replied = self._replied(hooks, repaired.request, lambda model: model.chat)
        noted = self._prefixes.noting(replied, repaired, self._disk_limit)
        async with aclosing(noted) as events:
            async for event in events:
                yield event

    async def complete(self, request: CompletionRequest, *, owner: str) -> AsyncGenerator[Event, None]:
        """How each prompt goes on; the first event is Started. Closing the generator cancels the reply."""
        hooks = RequestHooks(self._hooks, request, owner)
        request = await hooks.completion_request()
        async with aclosing(self._replied(hooks, request, lambda model: model.complete)) as events:
            async for event in events:
                yield event

    async def next_token(self, request: LogitsRequest) -> list[Alternative]:
        """The most likely next tokens, best first, with natural-log probabilities."""
        async with self._able(request.model, Operation.NEXT_TOKEN) as model:
            return await model.next_token(request)

    def offers(self, operation: Operation, model: str | None = None) -> bool:
        """Whether the model that answers such requests can do that, as far as is known without loading it."""
        known = self._models.known_card(model)
        return known is None or operation in known.operations

    async def card(self, model: str | None = None) -> ModelCard:
        """What is true of the model that answers such requests; it is loaded if it has to be."""
        async with self._models.lease(model) as leased:
            return leased.card.model

    async def count_tokens(self, request: ChatRequest, *, owner: str = "") -> int:
        """How many tokens the prompt of a chat request has. Raises what `chat` would."""
        request = (await self._prepared(request, owner)).request
        async with self._able(request.model, Operation.COUNT) as model:
            return await model.count_tokens(request)

    async def encode(self, text: str, *, add_bos: bool = True, model: str | None = None) -> list[int]:
        """Token ids as a prompt has them: control tokens are read as such, BOS is there where the model wants one."""
        async with self._able(model, Operation.TOKENIZE) as able:
            return await able.encode(text, add_bos=add_bos)

    async def encode_chat(self, request: ChatRequest, *, owner: str = "") -> list[int]:
        """Token ids of a chat request's prompt, -1 for what stands for pictures and sounds. Raises what `chat` would."""
        request = (await self._prepared(request, owner)).request
        async with self._able(request.model, Operation.TOKENIZE) as model:
            return await model.encode_chat(request)

    async def decode(self, tokens: Sequence[int], *, model: str | None = None) -> str:
        """Raises BadRequest for ids that the model does not have."""
        async with self._able(model, Operation.TOKENIZE) as able:
            return await able.decode(tokens)

    def known_card(self, name: str | None) -> ChatModelCard | None:
        """Of the model that `name` means, as far as it is known without loading anything."""
        return self._models.known_card(name)

    async def render(self, request: ChatRequest) -> str:
        """The prompt of a chat request, as text."""
        return (await self.written(request)).text

    async def written(self, request: ChatRequest, *, owner: str = "") -> RenderedPrompt:
        """The same, with what had to be done for the chat template to take the conversation."""
        repaired = await self._prepared(request, owner)
        async with self._able(repaired.request.model, Operation.RENDER) as model:
            rendered = await model.render(repaired.request)
            return replace(rendered, repairs=(*repaired.names, *rendered.repairs)) if repaired.names else rendered

    async def _prepared(self, request: ChatRequest, owner: str) -> Repaired:
        """As `chat` would ask the model, by what is known of the owner's conversations."""
        return await self._prefixes.repaired(await self._with_files(request), owner, notes=False)

    def _disk_limit(self, name: str) -> int:
        known = self._models.known_card(name)
        return known.model.disk_cache if known is not None else 0

    async def _with_files(self, request: ChatRequest) -> ChatRequest:
        messages = await with_read_files(request.messages, self._sources)
        return request if messages == request.messages else replace(request, messages=messages)

    @asynccontextmanager
    async def _able(self, name: str | None, operation: Operation) -> AsyncIterator[ChatModel]:
        """The model of that name, which can do what it is asked; refused without a lease where that is known before."""
        known = self._models.known_card(name)
        if known is not None:
            known.require(operation, param="model")
        async with self._models.lease(name) as model:
            model.card.require(operation, param="model")
            yield model

    async def _replied(
        self, hooks: RequestHooks, request: _Request, ask: _Ask[_Request]
    ) -> AsyncGenerator[Event, None]:
        known = self._models.known_card(request.model)
        if known is not None:
            require_all(known, request)
        with self._work.open(hooks.turn.owner) as work:
            async with self._models.lease(request.model, keep_alive=request.keep_alive) as model:
                require_all(model.card, request)
                hooks.turn.card = model.card.model
                self._name_ignored(model.card, request.sampling)
                events = self.metrics.counted(ask(model)(request, hooks.scope(work)))
                async with aclosing(hooks.reply(events)) as changed:
                    async for event in changed:
                        yield event

    def _name_ignored(self, card: ChatModelCard, sampling: Sampling) -> None:
        loader = card.model.loader
        for name in card.ignored(sampling):
            if (loader, name) not in self._named:
                self._named.add((loader, name))
                _log.warning("the %s loader has no %s; requests that set it are answered without", loader, name)
