"""Every backend there is, in every engine that can hold it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from modules.engine.process import ProcessEngine
from modules.engine.protocols import Engine
from modules.engine.types import LoadSpec
from tests.backends.contract.subjects import (
    CONTEXT,
    MAX_QUEUE,
    PARALLEL,
    Subject,
    model_words,
    scripted_words,
)
from tests.backends.loading import llama_engine, llama_spec, transformers_engine, transformers_spec
from tests.model_files import SMOLLM2
from tests.scripted import scripted_engine, scripted_spec

LIMITS = {"context": CONTEXT, "parallel": PARALLEL, "max_queue": MAX_QUEUE}


@asynccontextmanager
async def in_a_process(spec: LoadSpec) -> AsyncIterator[Engine]:
    engine = await ProcessEngine.probe(spec)
    await engine.load(lambda fraction: None)
    try:
        yield engine
    finally:
        await engine.aclose()


def made(name: str, request: pytest.FixtureRequest) -> AbstractAsyncContextManager[Engine]:
    if name == "scripted":
        return scripted_engine(scripted_spec(**LIMITS))
    if name == "scripted, process":
        return in_a_process(scripted_spec(**LIMITS))
    if name == "ExLlamaV3":
        # Imported with it: PyTorch, and the library's code.
        from tests.backends.exllamav3.engines import exllamav3_engine, exllamav3_spec, plain_folder  # noqa: PLC0415

        request.getfixturevalue("exllamav3")
        folder = plain_folder(request.getfixturevalue("tmp_path_factory").mktemp("exl3") / "tiny")
        pages = (PARALLEL + 1) * CONTEXT
        return exllamav3_engine(exllamav3_spec(folder, **LIMITS, page_cache_tokens=pages, scored_tokens=CONTEXT))
    model_file: Callable[[str], Path] = request.getfixturevalue("model_file")
    if name.startswith("Transformers"):
        folder = request.getfixturevalue("smollm2_folder")
        hub = transformers_spec(folder, **LIMITS, cache_tokens=PARALLEL * CONTEXT)
        return in_a_process(hub) if name.endswith("process") else transformers_engine(hub)
    spec = llama_spec(model_file(SMOLLM2), **LIMITS, kv_cells=PARALLEL * CONTEXT)
    if name == "llama.cpp":
        return llama_engine(request.getfixturevalue("llama_cpp"), spec)
    return in_a_process(spec)


@pytest_asyncio.fixture(
    scope="session",
    loop_scope="session",
    params=[
        "scripted",
        "scripted, process",
        pytest.param("llama.cpp", marks=pytest.mark.model),
        pytest.param("llama.cpp, process", marks=pytest.mark.model),
        pytest.param("ExLlamaV3", marks=[pytest.mark.model, pytest.mark.extended]),
        pytest.param("Transformers", marks=[pytest.mark.model, pytest.mark.extended]),
        pytest.param("Transformers, process", marks=[pytest.mark.model, pytest.mark.extended]),
    ],
)
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    name: str = request.param
    is_scripted = name.startswith("scripted")
    async with made(name, request) as engine:
        yield Subject(engine, scripted_words if is_scripted else model_words, draws=not is_scripted)
