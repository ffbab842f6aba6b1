"""Engines on real models, loaded once for all tests that share them."""

import gc
import types
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from modules.backends.llamacpp.loader import LlamaCppLoader
from modules.engine.threaded import ThreadedEngine
from tests.backends.llamacpp.reference import Reference, reference
from tests.backends.loading import llama_engine, llama_spec
from tests.model_files import SMOLLM2


@pytest.fixture(scope="session")
def llama_cpp() -> LlamaCppLoader:
    """One for the whole run: it starts the library."""
    return LlamaCppLoader()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def smollm2(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path]) -> AsyncIterator[ThreadedEngine]:
    async with llama_engine(llama_cpp, llama_spec(model_file(SMOLLM2))) as engine:
        yield engine


@pytest.fixture(scope="session")
def smollm2_reference(llama_cpp: LlamaCppLoader, model_file: Callable[[str], Path]) -> Iterator[Reference]:
    with reference(model_file(SMOLLM2)) as made:
        yield made


@pytest.fixture(scope="session")
def smollm2_folder(model_file: Callable[[str], Path]) -> Path:
    """The same model for the Transformers loader. PyTorch is imported by the tests that need it only."""
    from tests.backends.transformers.folders import converted_smollm2  # noqa: PLC0415

    return converted_smollm2(model_file(SMOLLM2))


@pytest.fixture(scope="session")
def exllamav3() -> Iterator[types.ModuleType]:
    """The library's own code, with its extension written out for a CPU."""
    from tests.backends.exllamav3.extension import exllamav3_code  # noqa: PLC0415

    with exllamav3_code() as library:
        # Each model that is unloaded has garbage collected: what there was before is not looked at again.
        gc.collect()
        gc.freeze()
        yield library
