"""Where the chat models of a program come from."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import Final

from modules.chatmodels.base import ChatModel, ChatModelCard, ChatModels
from modules.chatmodels.extension import ExtensionModels
from modules.chatmodels.local import LocalModels
from modules.hooks import Hooks
from modules.models.pool import ModelPool
from modules.prompt.builder import PromptBuilder

_NONE: Final[Mapping[str, ChatModels]] = MappingProxyType({})


class NamedSources:
    """`NAME/model` is the model of the source NAME, for which none of `local` has to be loaded; other names are those of
    `local`."""

    def __init__(self, local: ChatModels, sources: Mapping[str, ChatModels]) -> None:
        self._local = local
        self._sources = sources

    def lease(self, name: str | None, *, keep_alive: float | None = None) -> AbstractAsyncContextManager[ChatModel]:
        source, rest = self._found(name)
        return source.lease(rest, keep_alive=keep_alive)

    def known_card(self, name: str | None) -> ChatModelCard | None:
        source, rest = self._found(name)
        return source.known_card(rest)

    def _found(self, name: str | None) -> tuple[ChatModels, str | None]:
        prefix, slash, rest = (name or "").partition("/")
        source = self._sources.get(prefix) if slash else None
        return (source, rest) if source is not None else (self._local, name)


def chat_models(
    pool: ModelPool, hooks: Hooks, prompts: PromptBuilder, sources: Mapping[str, ChatModels] = _NONE
) -> ChatModels:
    """Those that `pool` loads and those of other `sources` by name, with the replies of an extension if one gives any."""
    local = LocalModels(pool, prompts)
    models = NamedSources(local, sources) if sources else local
    return ExtensionModels(models, hooks.reply[0], prompts) if hooks.reply else models
