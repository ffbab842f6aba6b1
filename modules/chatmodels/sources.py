"""Where the chat models of a program come from."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from modules.chatmodels.base import ChatModel, ChatModelCard, ChatModels, ChatModelSource
from modules.chatmodels.extension import ExtensionModels
from modules.chatmodels.local import LocalModels
from modules.errors import NotLoaded
from modules.hooks import Hooks
from modules.models.pool import ModelPool
from modules.prompt.builder import PromptBuilder
from modules.settings.values import Settings


class NamedSources:
    """`NAME/model` is the model of the source NAME, for which none of `local` has to be loaded; other names are those of
    `local` or, while there is no model, mean what the first source offers."""

    def __init__(self, local: ChatModels, sources: Mapping[str, ChatModels]) -> None:
        self._local = local
        self._sources = sources

    @asynccontextmanager
    async def lease(self, name: str | None, *, keep_alive: float | None = None) -> AsyncIterator[ChatModel]:
        source, rest = self._found(name)
        async with AsyncExitStack() as stack:
            try:
                model = await stack.enter_async_context(source.lease(rest, keep_alive=keep_alive))
            except NotLoaded:
                if source is not self._local:
                    raise
                first = next(iter(self._sources.values()))
                model = await stack.enter_async_context(first.lease(None))
            yield model

    def known_card(self, name: str | None) -> ChatModelCard | None:
        source, rest = self._found(name)
        return source.known_card(rest)

    def _found(self, name: str | None) -> tuple[ChatModels, str | None]:
        prefix, slash, rest = (name or "").partition("/")
        source = self._sources.get(prefix) if slash else None
        return (source, rest) if source is not None else (self._local, name)


def remote_sources(settings: Settings, prompts: PromptBuilder) -> Mapping[str, ChatModelSource]:
    """The upstreams of the settings by their names."""
    if not settings.upstreams:
        return {}
    # Loads the HTTP client, which a program without upstreams does not need.
    from modules.chatmodels.remote.model import RemoteModels  # noqa: PLC0415

    return {
        address.name: RemoteModels.of(
            address,
            key=settings.upstream_keys.get(address.name, ""),
            timeout=settings.upstream_timeout,
            prompts=prompts,
        )
        for address in settings.upstreams
    }


def chat_models(pool: ModelPool, hooks: Hooks, prompts: PromptBuilder, sources: Mapping[str, ChatModels]) -> ChatModels:
    """Those that `pool` loads and those of other `sources` by name, with the replies of an extension if one gives any."""
    local = LocalModels(pool, prompts)
    models = NamedSources(local, sources) if sources else local
    return ExtensionModels(models, hooks.reply[0], prompts) if hooks.reply else models
