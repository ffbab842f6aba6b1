"""A Cloudflare tunnel to the API, open as long as the API runs."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from pycloudflared.util import download, get_info

# cloudflared has its address within seconds; without a network it would go on trying.
URL_TIMEOUT_SECONDS: Final = 30
_URL: Final = re.compile(rb"https://[\w.-]+\.trycloudflare\.com")


class TunnelFailed(Exception):
    """There is no tunnel; the message says why and what to do. The API itself is served all the same."""


@asynccontextmanager
async def open_tunnel(program: str, port: int, tunnel_id: str | None) -> AsyncIterator[str]:
    """Enters with the public base URL, or with the id of a named tunnel, whose address its owner knows.

    Raises TunnelFailed.
    """
    local = f"http://127.0.0.1:{port}"
    named = ("run", "--url", local, tunnel_id) if tunnel_id else ("--url", local)
    process = await asyncio.create_subprocess_exec(
        program, "tunnel", "--no-autoupdate", *named, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    reader: asyncio.Task[None] | None = None
    try:
        public = tunnel_id or await _public_url(process.stderr)
        reader = asyncio.create_task(_drain(process.stderr))
        yield public
    finally:
        if reader is not None:
            reader.cancel()
        if process.returncode is None:
            process.terminate()
        await process.wait()


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


async def _public_url(output: asyncio.StreamReader) -> str:
    try:
        async with asyncio.timeout(URL_TIMEOUT_SECONDS):
            async for line in output:
                if match := _URL.search(line):
                    return f"{match.group().decode()}/v1"
    except TimeoutError:
        raise TunnelFailed(f"Cloudflare gave no address within {URL_TIMEOUT_SECONDS} s. Is the network up?") from None
    raise TunnelFailed("cloudflared ended without opening a tunnel. Is the network up?")


async def _drain(output: asyncio.StreamReader) -> None:
    """A pipe that nobody reads fills up and stops whoever writes to it."""
    async for _ in output:
        pass
