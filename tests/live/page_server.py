"""A server process with the page and the API, on the scripted backend or a real model."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx

from modules.paths import atomic_write
from tests.live.server import START_SECONDS, LiveServer, launch
from tests.model_files import SMOLLM2, model_path

SHORT_REPLIES: Final = "auto_max_new_tokens: false\nmax_new_tokens: 40\ntemperature: 0\n"
_ANNOUNCED: Final = re.compile(r"Web UI: (\S+)$", re.MULTILINE)
SCRIPTED: Final = ("--loader", "scripted")


def real_model() -> tuple[object, ...]:
    """Flags for SmolLM2."""
    model = model_path(SMOLLM2)
    return ("--model-dir", model.parent, "--model", model.name, "--ctx-size", 4096)


@asynccontextmanager
async def page_server(folder: Path, *flags: object, settings: str = "") -> AsyncIterator[LiveServer]:
    """Once its model is loaded and the page is served. `settings` become its settings.yaml."""
    if settings:
        atomic_write(folder / "settings.yaml", settings)
    server = launch(folder, "--listen-port", 0, *flags)
    try:
        await server.until(lambda: _ANNOUNCED.search(server.log))
        await server.until_listening()
        await asyncio.wait_for(server.until_healthy(), START_SECONDS)
        yield server
        if server.process.poll() is None:
            await server.stop()
    finally:
        server.kill()


def page_client(server: LiveServer) -> httpx.AsyncClient:
    """For the page of the server."""
    (url,) = _ANNOUNCED.findall(server.log)
    return httpx.AsyncClient(base_url=url, timeout=90, trust_env=False)
