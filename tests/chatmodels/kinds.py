"""The kinds of chat models, each with a service over one that does what its last prompt says, as the scripted backend."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from modules.chat.service import ChatService
from modules.chat.work import WorkRegister
from modules.chatmodels.base import ChatModel, ChatModelCard, ChatModels, Operation, RenderedPrompt, RequestScope
from modules.chatmodels.local import LocalModels
from modules.chatmodels.sources import chat_models
from modules.engine.types import Alternative
from modules.errors import ExtensionFailed
from modules.events import Event
from modules.hooks import Hooks, Turn
from modules.models.pool import ModelPool
from modules.prompt.builder import PromptBuilder
from modules.requests import ChatRequest, CompletionRequest, LogitsRequest
from tests.models.launches import Launches, scripted_pool


@dataclass(slots=True)
class Kind:
    """`model` is what requests name; `make` a service with more hooks; `break_off` ends replies under way."""

    model: str | None
    work: WorkRegister
    make: Callable[[Hooks], ChatService]
    is_broken: asyncio.Event

    async def break_off(self, service: ChatService) -> None:
        self.is_broken.set()
        request = CompletionRequest(model=self.model, prompts=("fail",))
        try:
            async for _ in service.complete(request, owner="other"):
                pass
        except Exception:  # noqa: BLE001 - what this is for
            return


class Speaker:
    """A reply hook that does what the scripted backend would."""

    def __init__(self) -> None:
        self.is_broken = asyncio.Event()
        self.is_closed = False

    async def __call__(self, turn: Turn) -> AsyncGenerator[str, None]:
        try:
            last = turn.request.messages[-1].text if isinstance(turn.request, ChatRequest) else turn.prompt
            command, _, words = last.partition(" ")
            match command:
                case "echo:":
                    for word in words.split(" "):
                        yield word if word == words.split(" ")[0] else f" {word}"
                case "stall":
                    yield "waiting"
                    await self.is_broken.wait()
                    raise ExtensionFailed("It broke.")
                case "fail":
                    raise ExtensionFailed("It broke.")
        finally:
            self.is_closed = True


class ChatOnly:
    """Chat models that answer conversations and nothing else, as servers elsewhere do; counts what is leased."""

    def __init__(self, behind: ChatModels, operations: frozenset[Operation], *, is_known: bool = True) -> None:
        self._behind = behind
        self._operations = operations
        self._is_known = is_known
        self.leases = 0

    @asynccontextmanager
    async def lease(self, name: str | None, *, keep_alive: float | None = None) -> AsyncIterator[ChatModel]:
        self.leases += 1
        async with self._behind.lease(name, keep_alive=keep_alive) as model:
            yield _ChatOnlyModel(model, self._operations)

    def known_card(self, name: str | None) -> ChatModelCard | None:
        card = self._behind.known_card(name)
        return replace(card, operations=self._operations) if card and self._is_known else None


class _ChatOnlyModel:
    """Reaching anything that the card does not list is an error of the caller."""

    def __init__(self, model: ChatModel, operations: frozenset[Operation]) -> None:
        self._model = model
        self.card = replace(model.card, operations=operations)

    def chat(self, request: ChatRequest, scope: RequestScope) -> AsyncGenerator[Event, None]:
        return self._model.chat(request, scope)

    def complete(self, request: CompletionRequest, scope: RequestScope) -> AsyncGenerator[Event, None]:
        raise AssertionError("complete was reached")

    async def next_token(self, request: LogitsRequest) -> list[Alternative]:
        raise AssertionError("next_token was reached")

    async def count_tokens(self, request: ChatRequest) -> int:
        raise AssertionError("count_tokens was reached")

    async def encode_chat(self, request: ChatRequest) -> list[int]:
        raise AssertionError("encode_chat was reached")

    async def encode(self, text: str, *, add_bos: bool) -> list[int]:
        raise AssertionError("encode was reached")

    async def decode(self, tokens: object) -> str:
        raise AssertionError("decode was reached")

    async def render(self, request: ChatRequest) -> RenderedPrompt:
        raise AssertionError("render was reached")


KINDS: Final = ("local", "extension", "extension without a model", "named source")


def open_kind(name: str, folder: Path) -> AbstractAsyncContextManager[Kind]:
    return _open_kind(name, folder)


@asynccontextmanager
async def _open_kind(name: str, folder: Path) -> AsyncIterator[Kind]:
    has_model = name != "extension without a model"
    settings = {"model": "scripted"} if has_model else {"loader": None}
    pool = scripted_pool(folder, Launches(), ctx_size=4096, parallel=2, **settings)
    pool.start()
    work, speaker, prompts = WorkRegister(), Speaker(), PromptBuilder()
    try:
        yield Kind(_model_of(name), work, _maker(name, pool, work, speaker, prompts), speaker.is_broken)
    finally:
        await prompts.aclose()
        await pool.aclose()


def _maker(
    name: str, pool: ModelPool, work: WorkRegister, speaker: Speaker, prompts: PromptBuilder
) -> Callable[[Hooks], ChatService]:
    def make(hooks: Hooks) -> ChatService:
        if name.startswith("extension"):
            hooks = replace(hooks, reply=(speaker,))
        sources = {"elsewhere": LocalModels(pool, prompts)} if name == "named source" else {}
        return ChatService(chat_models(pool, hooks, prompts, sources), work, hooks)

    return make


def _model_of(name: str) -> str | None:
    return "elsewhere/scripted" if name == "named source" else None
