"""Serving the app: uvicorn in the caller's event loop, the key that an exposed server must have, an orderly end."""

import asyncio
import functools
import secrets
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI

from extensions.openai.app import create_app
from extensions.openai.protocol import BoundedHttpProtocol
from extensions.openai.signals import on_signals
from extensions.openai.sockets import BACKLOG, base_url, listen
from extensions.openai.tunnel import TunnelFailed, find_cloudflared, open_tunnel
from extensions.openai.waiting import end
from modules.errors import SettingsError
from modules.runtime import Runtime
from modules.settings import Settings

GRACE_SECONDS: Final = 5
# Longer than clients keep idle connections, so that none is closed just as it is used again.
_KEEP_ALIVE_SECONDS: Final = 75

Announce = Callable[[str], None]
_print_now = functools.partial(print, flush=True)


async def serve_api(runtime: Runtime, *, announce: Announce = _print_now) -> None:
    """Serves until SIGINT, SIGTERM or cancellation; open streams then end with an error event.

    `announce` gets, line by line, the URLs and, if other machines can reach the server and no key is set, the key that
    was made up. Raises SettingsError when the port, an address or the certificate cannot be used.
    """
    settings = _with_key(runtime.settings, announce)
    closing = asyncio.Event()
    server = ApiServer(_config(create_app(runtime, settings=settings, closing=closing), settings), closing)
    listeners = listen(settings.api_addresses, settings.api_port)
    for listener in listeners:
        announce(f"OpenAI-compatible API: {base_url(listener, is_secure=server.config.is_ssl)}")
    tunnel = asyncio.create_task(_keep_tunnel(listeners[0], settings, announce))
    try:
        await server.serve_in_order(listeners)
    finally:
        await end(tunnel)


class ApiServer(uvicorn.Server):
    """A server that tells open replies to end, and leaves the process to whoever started it."""

    def __init__(self, config: uvicorn.Config, closing: asyncio.Event) -> None:
        super().__init__(config)
        self._closing = closing

    async def serve_in_order(self, listeners: list[socket.socket]) -> None:
        """As `serve`, but cancelling it ends it in order too."""
        serving = asyncio.create_task(self.serve(listeners))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            self.stop()
            await serving
            raise

    def stop(self) -> None:
        """The second time, without waiting for anybody."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._closing.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        with on_signals(self.stop):
            yield


def _with_key(settings: Settings, announce: Announce) -> Settings:
    """Whoever can be reached from other machines has a key."""
    if not settings.is_exposed or settings.api_key:
        return settings
    key = f"sk-{secrets.token_urlsafe(24)}"
    announce(f"Other machines can reach this API and --api-key is not set. The key until the next start: {key}")
    return settings.with_changes({"api_key": key})


def _config(app: FastAPI, settings: Settings) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        http=BoundedHttpProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
        ssl_keyfile=settings.ssl_keyfile,
        ssl_certfile=settings.ssl_certfile,
    )
    try:
        config.load()
    except (ssl.SSLError, OSError) as error:
        raise SettingsError(
            f"The certificate and key cannot be used ({error}). Both must be PEM files that belong together.",
            param="ssl_certfile",
        ) from error
    return config


async def _keep_tunnel(listener: socket.socket, settings: Settings, announce: Announce) -> None:
    """Opens the public address, if one is wanted, and keeps it until it is cancelled."""
    if not settings.public_api:
        return
    try:
        if settings.ssl_certfile is not None:
            raise TunnelFailed("Cloudflare brings HTTPS itself; leave out --ssl-certfile and --ssl-keyfile.")
        program = await find_cloudflared()
        async with open_tunnel(program, listener.getsockname()[1], settings.public_api_id) as public:
            announce(f"Public API: {public}")
            await asyncio.Event().wait()
    except TunnelFailed as failure:
        announce(f"There is no public address: {failure} The API is served here only.")
