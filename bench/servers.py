"""Starting and stopping the servers that are compared, and weighing their process trees."""

import asyncio
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import aiohttp
import psutil

ROOT: Final = Path(__file__).resolve().parents[1]
THREADS: Final = 2
PARALLEL: Final = 8
CONTEXT: Final = 8192
_START_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.1
_MIB: Final = 1 << 20


def our_command(model: Path, port: int, *, parallel: int = PARALLEL, context: int = CONTEXT) -> Sequence[str]:
    flags = ("--api", "--nowebui", "--api-port", port, "--model-dir", model.parent, "--model", model.name)
    sizes = ("--ctx-size", context, "--parallel", parallel, "--threads", THREADS, "--threads-batch", THREADS)
    return [sys.executable, str(ROOT / "server.py"), *map(str, flags + sizes)]


def llama_server_command(
    model: Path, port: int, *, parallel: int = PARALLEL, context: int = CONTEXT, drafts: str = ""
) -> Sequence[str]:
    flags = ("--slots", parallel, "--context", context, "--drafts", drafts)
    return [sys.executable, "-m", "bench.llama_server", str(model), str(port), *map(str, flags)]


@asynccontextmanager
async def running(command: Sequence[str], port: int, path: str = "/health") -> AsyncIterator[psutil.Process]:
    """The server, once it answers `path` with 200; it is ended afterwards."""
    process = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, stderr=DEVNULL, cwd=ROOT)
    try:
        await asyncio.wait_for(_until_healthy(process, port, path), _START_SECONDS)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        await process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def tree_mib(root: psutil.Process) -> float:
    """Resident memory of a process and all its children, in MiB; pages they share count once for each."""
    return sum(process.memory_info().rss for process in (root, *root.children(recursive=True))) / _MIB


async def _until_healthy(process: Process, port: int, path: str) -> None:
    async with aiohttp.ClientSession() as session:
        while process.returncode is None:
            try:
                async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(_POLL_SECONDS)
    raise RuntimeError(f"the server ended with code {process.returncode}")
