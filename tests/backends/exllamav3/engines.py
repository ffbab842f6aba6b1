"""Engines of the ExLlamaV3 backend, where there is no card."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from safetensors.torch import load_file, save_file

from modules.backends.hub.tokenizer import HubTokenizer
from modules.backends.hub_folder import ModelFolder
from modules.engine.protocols import Loader
from modules.engine.threaded import ThreadedEngine
from modules.engine.types import LoadSpec
from tests.backends.loading import changed_spec
from tests.backends.transformers.folders import tiny_folder

ASCII = 128
RESERVED = 12345


def exllamav3_spec(path: Path, **changes: Any) -> LoadSpec:
    return changed_spec(LoadSpec(name=path.name, path=str(path), loader="ExLlamav3", context=512), **changes)


@asynccontextmanager
async def exllamav3_engine(spec: LoadSpec) -> AsyncIterator[ThreadedEngine]:
    """To be used with the fixture `exllamav3`."""
    torch.set_num_threads(1)
    with as_if_on_cards(1) as loader:
        backend = await asyncio.to_thread(loader.load, spec, lambda fraction: None)
    engine = ThreadedEngine(backend, max_queue=spec.max_queue)
    try:
        yield engine
    finally:
        await engine.aclose()


def plain_folder(path: Path) -> Path:
    """A tiny model whose likeliest tokens are always those of ASCII, which is text wherever it is cut."""
    tiny_folder(path)
    tokenizer, weights = HubTokenizer(ModelFolder.read(path)), load_file(path / "model.safetensors")
    for token in range(tokenizer.size):
        if not all(byte < ASCII for byte in tokenizer.shown(token)):
            weights["lm_head.weight"][token] = 0
    save_file(weights, path / "model.safetensors", metadata={"format": "pt"})
    return path


class as_if_on_cards(ExitStack):  # noqa: N801 - it reads as what it does
    """The loader, which takes the machine to have so many cards."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def __enter__(self) -> Loader:  # type: ignore[override]
        from modules.backends.exllamav3 import loader  # noqa: PLC0415 - the library is there in some tests only

        for place, name, value in (
            (torch.cuda, "is_available", lambda: self._count > 0),
            (torch.cuda, "get_device_capability", lambda: (9, 0)),
            (torch.cuda, "device_count", lambda: self._count),
            (torch.cuda, "memory_reserved", lambda card: RESERVED),
        ):
            self.enter_context(mock.patch.object(place, name, value))
        return loader.ExLlamaV3Loader()
