"""What is asked of a chat model, whether it runs here, on another server, or is an extension."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, fields
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol, TypeVar

from modules.engine.types import Alternative, ModelCard
from modules.errors import NotSupported
from modules.events import Event
from modules.hooks import Hooks, Turn
from modules.requests import ChatRequest, CompletionRequest, LogitsRequest, MixedPrompt
from modules.sampling import Sampling

_Item = TypeVar("_Item")


class Operation(StrEnum):
    """What can be asked of a chat model; its card says which of them it can do."""

    CHAT = "chat"
    COMPLETE = "complete"
    COUNT = "count"
    TOKENIZE = "tokenize"
    RENDER = "render"
    NEXT_TOKEN = "next_token"
    SCORE = "score"
    CONSTRAIN = "constrain"
    INFILL = "infill"
    LOGPROBS = "logprobs"
    EDIT_PROMPT = "edit_prompt"
    """Hooks may change its prompt as text and as tokens."""
    ADAPT = "adapt"
    """Each request may have LoRA adapters of its own."""


EVERYTHING: Final = frozenset(Operation)

_REFUSALS: Final = MappingProxyType(
    {
        Operation.CHAT: "The model answers no conversations. Send a text completion, or choose another model.",
        Operation.COMPLETE: "The model goes on from no raw text. Send a chat completion, or choose another model.",
        Operation.COUNT: "The tokens of prompts for this model cannot be counted.",
        Operation.TOKENIZE: "The tokens of this model are not known here. Send text, or choose another model.",
        Operation.RENDER: "The prompts of this model are made elsewhere and cannot be shown.",
        Operation.NEXT_TOKEN: "The probabilities of this model's next token are not known here. Choose another model.",
        Operation.SCORE: "The loaded model's backend cannot score prompts; leave out echo.",
        Operation.CONSTRAIN: "The loaded model's backend cannot constrain replies to a format.",
        Operation.INFILL: (
            "The loaded model cannot fill in text before a suffix; it has no tokens for that. Leave suffix out, or load "
            "a model that has them, such as a coder model."
        ),
        Operation.ADAPT: "LoRA adapters of a request cannot be applied to this model. Leave lora out.",
        Operation.LOGPROBS: "The probabilities of this model's tokens are not known here. Leave out logprobs.",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatModelCard:
    """What is true of a chat model, and what it can be asked for."""

    model: ModelCard
    operations: frozenset[Operation] = EVERYTHING

    def require(self, operation: Operation, *, param: str | None = None) -> None:
        """Raises NotSupported, which names the request field `param`."""
        if operation not in self.operations:
            raise NotSupported(_REFUSALS[operation], param=param)

    def ignored(self, sampling: Sampling) -> tuple[str, ...]:
        """The sampling parameters that were set and that this model's backend does not have."""
        neutral = Sampling()
        names = {field.name for field in fields(Sampling)} & set(self.model.unsupported)
        return tuple(sorted(name for name in names if getattr(sampling, name) != getattr(neutral, name)))


def require_all(card: ChatModelCard, request: ChatRequest | CompletionRequest) -> None:
    """Raises NotSupported for the first thing in `request` that the model of `card` cannot do."""
    needs = _chat_needs(request) if isinstance(request, ChatRequest) else _completion_needs(request)
    for operation, param in needs:
        card.require(operation, param=param)


def _chat_needs(request: ChatRequest) -> Iterator[tuple[Operation, str]]:
    yield Operation.CHAT, "model"
    if request.constraint is not None:
        yield Operation.CONSTRAIN, request.constraint.param
    if request.logprobs is not None:
        yield Operation.LOGPROBS, "logprobs"
    if request.adapters:
        yield Operation.ADAPT, "lora"


def _completion_needs(request: CompletionRequest) -> Iterator[tuple[Operation, str]]:
    yield Operation.COMPLETE, "model"
    if request.constraint is not None:
        yield Operation.CONSTRAIN, request.constraint.param
    if request.prompt_logprobs is not None:
        yield Operation.SCORE, "echo"
    if request.suffix:
        yield Operation.INFILL, "suffix"
    if request.logprobs is not None:
        yield Operation.LOGPROBS, "logprobs"
    if request.adapters:
        yield Operation.ADAPT, "lora"
    if not all(isinstance(prompt, str | MixedPrompt) for prompt in request.prompts):
        yield Operation.TOKENIZE, "prompt"


class Stoppable(Protocol):
    """A reply under way that its owner may end."""

    def until_stopped(self, stream: AsyncGenerator[_Item, None]) -> AsyncGenerator[_Item, None]:
        """The items of `stream`, to its end or until the stop; then `stream` is closed."""
        ...


@dataclass(frozen=True, slots=True)
class RequestScope:
    """What belongs to a request beside what it asks for: its hooks and how they are told of it, and how it is stopped.

    The hooks on text have been served by then, or will be; a model serves those of its prompt and its tokens, if its
    card says that it can.
    """

    hooks: Hooks
    turn: Turn
    work: Stoppable


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A prompt as text, and the names of what had to be done for the template to take the conversation."""

    text: str
    repairs: tuple[str, ...] = ()


class ChatModel(Protocol):
    """A model that is there. What its card does not list raises NotSupported before anything else is done."""

    @property
    def card(self) -> ChatModelCard: ...

    def chat(self, request: ChatRequest, scope: RequestScope) -> AsyncGenerator[Event, None]:
        """A reply to a conversation. Started comes with the model's first sign of life, not before: until then whatever
        goes wrong is an error of the request. When `scope.work` is stopped, each choice still ends with Done. Closing
        the generator cancels the reply."""
        ...

    def complete(self, request: CompletionRequest, scope: RequestScope) -> AsyncGenerator[Event, None]:
        """How each prompt goes on, likewise."""
        ...

    async def next_token(self, request: LogitsRequest) -> list[Alternative]:
        """The most likely next tokens, best first, with natural-log probabilities."""
        ...

    async def count_tokens(self, request: ChatRequest) -> int:
        """How many tokens the prompt of a chat request has. Raises what `chat` would."""
        ...

    async def encode_chat(self, request: ChatRequest) -> list[int]:
        """Token ids of a chat request's prompt, -1 for what stands for pictures and sounds. Raises what `chat` would."""
        ...

    async def encode(self, text: str, *, add_bos: bool) -> list[int]:
        """Token ids as a prompt has them: control tokens are read as such, BOS is there where the model wants one."""
        ...

    async def decode(self, tokens: Sequence[int]) -> str:
        """Raises BadRequest for ids that the model does not have."""
        ...

    async def render(self, request: ChatRequest) -> RenderedPrompt:
        """The prompt of a chat request as a person would read it, whether or not it fits."""
        ...


class ChatModels(Protocol):
    """Chat models by name."""

    def lease(self, name: str | None, *, keep_alive: float | None = None) -> AbstractAsyncContextManager[ChatModel]:
        """The model that `name` means, which stays there until the lease ends; it is loaded if it has to be. Raises
        BadRequest, NotLoaded, LoadFailed, NoRoom."""
        ...

    def known_card(self, name: str | None) -> ChatModelCard | None:
        """The card of the model that `name` means, as far as it is known without loading anything."""
        ...


class ChatModelSource(ChatModels, Protocol):
    """Chat models that are elsewhere, and are listed there."""

    async def list_cards(self) -> tuple[ChatModelCard, ...]:
        """Of those that are offered now; empty when nobody answers."""
        ...

    async def aclose(self) -> None: ...
