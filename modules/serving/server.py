"""uvicorn in the caller's event loop, with an orderly shutdown."""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

import uvicorn
from starlette.types import ASGIApp

from modules.errors import SettingsError
from modules.serving.protocol import BoundedHttpProtocol
from modules.serving.sockets import BACKLOG
from modules.settings.values import Settings

# Streams are told to end at once; this is for clients that do not read.
GRACE_SECONDS: Final = 5
# Longer than clients keep idle connections, so that none is closed just as it is used again.
_KEEP_ALIVE_SECONDS: Final = 75


class OrderlyServer(uvicorn.Server):
    """A server that sets `closing` when it is to end, so that open replies end first. Signals are left to the program."""

    def __init__(self, config: uvicorn.Config, closing: asyncio.Event) -> None:
        super().__init__(config)
        self._closing = closing

    async def serve_in_order(self, listeners: list[socket.socket]) -> None:
        """As `serve`, but cancelling shuts down in order; a second cancel shuts down at once."""
        serving = asyncio.create_task(self.serve(listeners))
        try:
            # Cancelling uvicorn's own task would drop connections instead of closing them.
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            self.stop()
            await serving
            raise

    def stop(self) -> None:
        """The second time, at once."""
        self.force_exit = self.should_exit
        self.should_exit = True
        self._closing.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server_config(
    app: ASGIApp, settings: Settings, *, lifespan: Literal["on", "off"] = "off", root_path: str = ""
) -> uvicorn.Config:
    """Raises SettingsError when the certificate cannot be used."""
    config = uvicorn.Config(
        app,
        http=BoundedHttpProtocol,
        ws="none",
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        # Tells an attacker nothing about the server's version.
        server_header=False,
        backlog=BACKLOG,
        # X-Forwarded headers can be sent by anyone; behind a proxy nothing here depends on them.
        proxy_headers=False,
        root_path=root_path,
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
