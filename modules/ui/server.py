"""Serving the page in the event loop of the runtime, beside the API."""

import asyncio
import os
import shutil
import webbrowser
from contextlib import AsyncExitStack, aclosing
from typing import Final

from modules.chat.tools.toolbox import ToolBox
from modules.extend.extensions import Extensions
from modules.extend.services import Announce
from modules.runtime import Runtime
from modules.serving.addressing import own_names
from modules.serving.server import OrderlyServer, server_config
from modules.serving.sockets import listen, url_of
from modules.settings import Settings
from modules.ui.app import build_blocks, mount
from modules.ui.open_paths import Users
from modules.ui.page import Page
from modules.ui.security import Guard

_UNGUARDED: Final = (
    "Other machines can reach the web UI and nobody is asked for a password. Set --gradio-auth name:password."
)


async def serve_page(runtime: Runtime, extensions: Extensions, *, announce: Announce) -> None:
    """Serves until it is cancelled. Raises SettingsError when the port, the address or the certificate cannot be used."""
    settings = runtime.settings
    _use_own_folder(settings)
    listeners = listen(settings.page_addresses, settings.listen_port, setting="listen_port")
    async with AsyncExitStack() as stack:
        for listener in listeners:
            stack.enter_context(listener)
        tools = await stack.enter_async_context(
            aclosing(ToolBox(runtime.data, mcp_servers=settings.mcp_servers, extension_tools=extensions.tools))
        )
        page = await stack.enter_async_context(aclosing(Page(runtime, extensions, tools)))
        app = mount(page, await asyncio.to_thread(build_blocks, page))
        names = None if settings.listen or settings.share else own_names(settings.api_allowed_hosts)
        server = OrderlyServer(
            server_config(Guard(app, names, Users(app)), settings, lifespan="on", root_path=settings.subpath),
            asyncio.Event(),
        )
        url = url_of(listeners[0], is_secure=server.config.is_ssl)
        announce(f"Web UI: {url}")
        if names is None and not settings.passwords:
            announce(_UNGUARDED)
        if settings.auto_launch:
            await asyncio.to_thread(webbrowser.open, url)
        await server.serve_in_order(listeners)


def _use_own_folder(settings: Settings) -> None:
    """Uploads lie in the user's own folder until the next start."""
    folder = settings.user_data.cache / "gradio"
    shutil.rmtree(folder, ignore_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = str(folder.absolute())
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
