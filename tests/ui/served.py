"""The real page over a real runtime with the scripted backend, on a port of this machine, in this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from modules.extend.extensions import Extensions, RunningProgram
from modules.models.loading import launch_in_process
from modules.models.state import Status
from modules.runtime import Runtime
from modules.settings.values import Settings
from modules.ui.server import serve_page

_ANNOUNCED = "Web UI: "


@dataclass(frozen=True, slots=True)
class ServedPage:
    """`folder` is the user data folder, `said` what the terminal was told."""

    runtime: Runtime
    http: httpx.AsyncClient
    url: str
    folder: Path
    said: list[str]

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])


@asynccontextmanager
async def served_page(folder: Path, **settings: Any) -> AsyncIterator[ServedPage]:
    """Once it listens and its model is loaded."""
    values: dict[str, Any] = {"loader": "scripted", "user_data_dir": folder, "listen_port": 0, **settings}
    said: list[str] = []
    is_announced = asyncio.Event()

    def announce(line: str) -> None:
        said.append(line)
        if line.startswith(_ANNOUNCED):
            is_announced.set()

    async with Runtime(Settings(**values), launch=launch_in_process) as runtime:
        async for state in runtime.models.changes():
            if state.status is Status.READY:
                break
        extensions = Extensions(RunningProgram(runtime.settings))
        serving = asyncio.create_task(serve_page(runtime, extensions, announce=announce))
        listening = asyncio.create_task(is_announced.wait())
        try:
            await asyncio.wait([serving, listening], return_when=asyncio.FIRST_COMPLETED)
            if serving.done():
                serving.result()
            (announced,) = (line for line in said if line.startswith(_ANNOUNCED))
            url = announced.removeprefix(_ANNOUNCED).replace("0.0.0.0", "127.0.0.1")
            async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as http:
                yield ServedPage(runtime, http, url, folder, said)
        finally:
            listening.cancel()
            serving.cancel()
            await asyncio.wait([serving, listening])
