"""All hooks of extensions: their signatures and what they are for. The only list of them."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeAlias, TypeVar

from modules.engine.types import ModelCard
from modules.requests import ChatRequest, CompletionRequest

_Value = TypeVar("_Value")


@dataclass(slots=True, kw_only=True)
class Turn:
    """One request on its way through the hooks. `request` is what the hooks before have made of it; `card` is None until
    the model is there, `prompt` empty until it is written. What a hook puts into `memory` is there for the later ones.
    """

    request: ChatRequest | CompletionRequest
    owner: str
    card: ModelCard | None = None
    prompt: str = ""
    memory: dict[str, Any] = field(default_factory=dict)


Change: TypeAlias = Callable[[_Value, Turn], Awaitable[_Value]]
ReplyHook: TypeAlias = Callable[[Turn], AsyncGenerator[str, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Filled when extensions are loaded, then fixed. Functions of one hook run in the order of the extensions, each with
    what the one before has returned; extensions write them as plain functions, which run on threads."""

    chat_request: tuple[Change[ChatRequest], ...] = ()
    """`(request: ChatRequest, turn) -> ChatRequest`: a chat request before its prompt is made."""

    completion_request: tuple[Change[CompletionRequest], ...] = ()
    """`(request: CompletionRequest, turn) -> CompletionRequest`: a text completion request, likewise."""

    chat_prompt: tuple[Change[str], ...] = ()
    """`(prompt: str, turn) -> str`: the prompt of a chat request as text, once for each attempt to make it fit."""

    reply_prefix: tuple[Change[str], ...] = ()
    """`(prefix: str, turn) -> str`: the end of a dialogue's prompt, such as `AI:`, in the modes chat and chat-instruct."""

    token_count: tuple[Callable[[str, Turn], Awaitable[int]], ...] = ()
    """`(prompt: str, turn) -> int`: how many tokens a prompt counts as when turns are left out; only the first runs."""

    prompt_tokens: tuple[Change[tuple[int, ...]], ...] = ()
    """`(tokens: tuple[int, ...], turn) -> tuple[int, ...]`: the token ids that the model is about to read."""

    reply: tuple[ReplyHook, ...] = ()
    """`(turn) -> Iterator[str]`: a generator of pieces that says the reply in the model's place; only the first runs."""

    reply_text: tuple[Change[str], ...] = ()
    """`(text: str, turn) -> str`: the visible text of a reply when it is complete; until then it is not shown."""


HOOK_NAMES = tuple(hook.name for hook in fields(Hooks))


@dataclass(frozen=True, slots=True)
class ExtensionHook:
    """A hook that says which extension it belongs to."""

    extension: str
    function: Callable[..., Any]

    def __call__(self, *args: object) -> Any:  # noqa: ANN401 - as the hook says
        return self.function(*args)


def source_of(function: object) -> str:
    """Whose a hook is, as the beginning of a sentence."""
    if isinstance(function, ExtensionHook):
        return f"The extension {function.extension}"
    return f"The hook {getattr(function, '__qualname__', type(function).__name__)}"
