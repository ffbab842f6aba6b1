"""--share: a public address for the page through Gradio's tunnel, for as long as the page is served."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gradio import networking, tunneling

from modules.extend.contributions import Announce

_FAILED = (
    "There is no public address: Gradio's share server could not be reached, or its tunnel program could not be fetched. "
    "The web UI is served here only."
)


@asynccontextmanager
async def shared(port: int, announce: Announce) -> AsyncIterator[None]:
    """Says where the page is reached, or why nowhere; the page is served either way."""
    opening = asyncio.create_task(_open(port, announce))
    try:
        yield
    finally:
        opening.cancel()
        await asyncio.wait([opening])
        await asyncio.to_thread(_close, port)


async def _open(port: int, announce: Announce) -> None:
    try:
        address = await asyncio.to_thread(
            networking.setup_tunnel, "127.0.0.1", port, secrets.token_urlsafe(32), None, None
        )
    except Exception:  # noqa: BLE001 - what the tunnel raises has no common type
        announce(_FAILED)
    else:
        announce(f"Public web UI: {address}")


def _close(port: int) -> None:
    for tunnel in tunneling.CURRENT_TUNNELS:
        if tunnel.local_port == port:
            tunnel.kill()
