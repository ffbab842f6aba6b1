"""Bringing real models up for tests."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.backends.registry import BACKENDS
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import LoadSpec


def llama_spec(path: Path, **changes: Any) -> LoadSpec:
    """One thread per model: two would wait for each other wherever the machine has something else to do."""
    spec = LoadSpec(name=path.name, path=str(path), loader="llama.cpp", context=2048, options={"threads": 1})
    return changed_spec(spec, **changes)


def transformers_spec(path: Path, **changes: Any) -> LoadSpec:
    spec = LoadSpec(
        name=path.name, path=str(path), loader="Transformers", context=512, options={"torch_threads": 1, "cpu": True}
    )
    return changed_spec(spec, **changes)


def changed_spec(spec: LoadSpec, **changes: Any) -> LoadSpec:
    """`changes` are fields of the spec and options of the loader."""
    fields = {name: value for name, value in changes.items() if hasattr(spec, name)}
    options = {name: value for name, value in changes.items() if name not in fields}
    return replace(spec, options={**spec.options, **options}, **fields)


@asynccontextmanager
async def llama_engine(loader: LlamaCppLoader, spec: LoadSpec) -> AsyncIterator[ThreadedEngine]:
    backend = await asyncio.to_thread(loader.load, spec, lambda fraction: None)
    engine = ThreadedEngine(backend, max_queue=spec.max_queue)
    try:
        yield engine
    finally:
        await engine.aclose()


@asynccontextmanager
async def transformers_engine(spec: LoadSpec) -> AsyncIterator[ThreadedEngine]:
    loader = BACKENDS.loader_for(spec.loader)
    backend = await asyncio.to_thread(loader.load, spec, lambda fraction: None)
    engine = ThreadedEngine(backend, max_queue=spec.max_queue)
    try:
        yield engine
    finally:
        await engine.aclose()
