"""Bringing real models up for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from modules.backends.llamacpp.backend import LlamaBackend
from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import LoadSpec


def llama_spec(path: Path, **changes: Any) -> LoadSpec:
    """One thread per model: two would wait for each other wherever the machine has something else to do."""
    spec = LoadSpec(name=path.name, path=str(path), loader="llama.cpp", context=2048, threads=1)
    return replace(spec, **changes)


def llama_backend(loader: LlamaCppLoader, path: Path, **changes: Any) -> LlamaBackend:
    return loader.load(llama_spec(path, **changes), lambda fraction: None)


@asynccontextmanager
async def llama_engine(loader: LlamaCppLoader, path: Path, **changes: Any) -> AsyncIterator[ThreadedEngine]:
    backend = await asyncio.to_thread(llama_backend, loader, path, **changes)
    engine = ThreadedEngine(backend)
    try:
        yield engine
    finally:
        await engine.aclose()
