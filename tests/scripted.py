"""Engines without a model, for tests: the scripted backend on a thread, with whatever its card should say."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from typing_extensions import override

from modules.backends.scripted.backend import ScriptedBackend
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import LoadSpec, ModelCard


class CardedBackend(ScriptedBackend):
    """A scripted backend that claims other things about itself."""

    def __init__(self, spec: LoadSpec, **claims: Any) -> None:
        super().__init__(spec)
        self._claimed = replace(super().card, **claims)

    @property
    @override
    def card(self) -> ModelCard:
        return self._claimed


def scripted_spec(**changes: Any) -> LoadSpec:
    return replace(LoadSpec(name="scripted", path="", loader="scripted", context=4096), **changes)


def scripted_card(**claims: Any) -> ModelCard:
    return CardedBackend(scripted_spec(), **claims).card


@asynccontextmanager
async def scripted_engine(spec: LoadSpec | None = None, **claims: Any) -> AsyncIterator[ThreadedEngine]:
    spec = spec or scripted_spec()
    engine = ThreadedEngine(CardedBackend(spec, **claims), max_queue=spec.max_queue)
    try:
        yield engine
    finally:
        await engine.aclose()
