"""A Cloudflare tunnel to the API, open as long as the API runs."""

import asyncio
import os
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from pycloudflared.util import download, get_info

from modules.process.program import SupervisedProgram
from modules.process.spec import ErrorOutput, ProcessSpec

# cloudflared has its address within seconds; without a network it would go on trying.
URL_TIMEOUT_SECONDS: Final = 30
_URL: Final = re.compile(r"https://[\w.-]+\.trycloudflare\.com")


class TunnelFailed(Exception):
    """There is no tunnel; the message says why and what to do. The API itself is served all the same."""


@asynccontextmanager
async def open_tunnel(program: str, port: int, tunnel_id: str | None) -> AsyncIterator[str]:
    """Enters with the public base URL, or with the id of a named tunnel, whose address its owner knows.

    Raises TunnelFailed.
    """
    local = f"http://127.0.0.1:{port}"
    named = ("run", "--url", local, tunnel_id) if tunnel_id else ("--url", local)
    async with SupervisedProgram(_spec((program, "tunnel", "--no-autoupdate", *named))) as cloudflared:
        yield tunnel_id or await _public_url(cloudflared)


def _spec(command: tuple[str, ...]) -> ProcessSpec:
    """cloudflared looks for its accounts and proxies in variables and in the user's home. It writes on stderr."""
    return ProcessSpec(
        name="cloudflared", command=command, environment=dict(os.environ), error_output=ErrorOutput.OUTPUT
    )


async def find_cloudflared() -> str:
    """The path of the program, which is downloaded the first time. Raises TunnelFailed."""
    installed = shutil.which("cloudflared")
    return await asyncio.to_thread(_downloaded) if installed is None else installed


def _downloaded() -> str:
    try:
        info = get_info()
        return str(info.executable if Path(info.executable).exists() else download(info))
    except (OSError, RuntimeError) as error:
        raise TunnelFailed(
            f"cloudflared could not be fetched ({error}). Install it by hand, or connect to the internet and start again."
        ) from error


async def _public_url(cloudflared: SupervisedProgram) -> str:
    try:
        async with asyncio.timeout(URL_TIMEOUT_SECONDS):
            while (line := await cloudflared.next_line()) is not None:
                if match := _URL.search(line):
                    return f"{match.group()}/v1"
    except TimeoutError:
        raise TunnelFailed(f"Cloudflare gave no address within {URL_TIMEOUT_SECONDS} s. Is the network up?") from None
    raise TunnelFailed("cloudflared ended without opening a tunnel. Is the network up?")
