"""Where the chat models of a program come from."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from modules.chatmodels.base import ChatModel, ChatModelCard, ChatModels, ChatModelSource
from modules.chatmodels.extension import ExtensionModels
from modules.chatmodels.local import LocalModels
from modules.errors import NotLoaded
from modules.hooks import Hooks
from modules.models.pool import ModelPool
from modules.prompt.builder import PromptBuilder
from modules.settings.groups.upstream import UpstreamAddress
from modules.settings.values import Settings

if TYPE_CHECKING:
    from modules.chatmodels.remote.model import RemoteModels


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
                first = next(iter(self._sources.values()), None)
                if source is not self._local or first is None:
                    raise
                model = await stack.enter_async_context(first.lease(None))
            yield model

    def known_card(self, name: str | None) -> ChatModelCard | None:
        source, rest = self._found(name)
        return source.known_card(rest)

    def _found(self, name: str | None) -> tuple[ChatModels, str | None]:
        prefix, slash, rest = (name or "").partition("/")
        source = self._sources.get(prefix) if slash else None
        return (source, rest) if source is not None else (self._local, name)


class RemoteSources(Mapping[str, ChatModelSource]):
    """The upstreams by their names. The page changes them while the program runs; what they answer just then goes on."""

    def __init__(self, settings: Settings, prompts: PromptBuilder) -> None:
        self._timeout = settings.upstream_timeout
        self._prompts = prompts
        self._sources: dict[str, RemoteModels] = {}
        for address in settings.upstreams:
            self._sources[address.name] = self._made(address, settings.upstream_keys.get(address.name, ""))

    @override
    def __getitem__(self, name: str) -> ChatModelSource:
        return self._sources[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._sources)

    @override
    def __len__(self) -> int:
        return len(self._sources)

    async def put(self, address: UpstreamAddress, key: str) -> None:
        """In place of the upstream of that name, if there is one."""
        former, self._sources[address.name] = self._sources.get(address.name), self._made(address, key)
        if former is not None:
            await former.retire()

    async def remove(self, name: str) -> None:
        """Nothing where there is none of that name."""
        if (former := self._sources.pop(name, None)) is not None:
            await former.retire()

    async def aclose(self) -> None:
        for source in self._sources.values():
            await source.aclose()

    def _made(self, address: UpstreamAddress, key: str) -> "RemoteModels":
        # Loads the HTTP client, which a program without upstreams does not need.
        from modules.chatmodels.remote.model import RemoteModels  # noqa: PLC0415

        return RemoteModels.of(address, key=key, timeout=self._timeout, prompts=self._prompts)


def chat_models(pool: ModelPool, hooks: Hooks, prompts: PromptBuilder, sources: Mapping[str, ChatModels]) -> ChatModels:
    """Those that `pool` loads and those of other `sources` by name, with the replies of an extension if one gives any."""
    models = NamedSources(LocalModels(pool, prompts), sources)
    return ExtensionModels(models, hooks.reply[0], prompts) if hooks.reply else models
