"""Bringing real models up for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import LoadSpec


def llama_spec(path: Path, **changes: Any) -> LoadSpec:
    """One thread per model: two would wait for each other wherever the machine has something else to do."""
    spec = LoadSpec(name=path.name, path=str(path), loader="llama.cpp", context=2048, threads=1)
    return replace(spec, **changes)


@asynccontextmanager
async def llama_engine(loader: LlamaCppLoader, spec: LoadSpec) -> AsyncIterator[ThreadedEngine]:
    backend = await asyncio.to_thread(loader.load, spec, lambda fraction: None)
    engine = ThreadedEngine(backend, max_queue=spec.max_queue)
    try:
        yield engine
    finally:
        await engine.aclose()
