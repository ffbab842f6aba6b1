"""Serves the app: generates a key where one is needed, opens sockets and the tunnel."""

import asyncio
import secrets
import socket
from collections.abc import Callable

from extensions.openai.app import create_app
from extensions.openai.common.context import end
from extensions.openai.tunnel import TunnelFailed, find_cloudflared, open_tunnel
from modules.logs import announce as announce_line
from modules.runtime import Runtime
from modules.serving.server import OrderlyServer, server_config
from modules.serving.sockets import listen, url_of
from modules.settings.values import Settings

Announce = Callable[[str], None]


async def serve_api(runtime: Runtime, *, announce: Announce = announce_line) -> None:
    """Serves until it is cancelled; open streams then end with an error event.

    `announce` gets, line by line, the URLs and, if other machines can reach the server and no key is set, the key that
    was made up. Raises SettingsError when the port, an address or the certificate cannot be used.
    """
    settings = _with_key(runtime.settings, announce)
    closing = asyncio.Event()
    app = create_app(runtime, settings=settings, closing=closing)
    server = OrderlyServer(server_config(app, settings), closing)
    listeners = listen(settings.api_addresses, settings.api_port)
    for listener in listeners:
        announce(f"OpenAI-compatible API: {url_of(listener, is_secure=server.config.is_ssl)}/v1")
    tunnel = asyncio.create_task(_keep_tunnel(listeners[0], settings, announce))
    try:
        await server.serve_in_order(listeners)
    finally:
        await end(tunnel)


def _with_key(settings: Settings, announce: Announce) -> Settings:
    """Whoever can be reached from other machines has a key."""
    if not settings.is_exposed or settings.api_key:
        return settings
    # Some clients refuse keys that do not begin like OpenAI's.
    key = f"sk-{secrets.token_urlsafe(24)}"
    announce(f"Other machines can reach this API and --api-key is not set. The key until the next start: {key}")
    return settings.with_changes({"api_key": key})


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
