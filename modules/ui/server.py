"""Serving the page in the event loop of the runtime, beside the API."""

import asyncio
import secrets
import webbrowser
from contextlib import AsyncExitStack, aclosing
from typing import Final

import httpx2
from starlette.types import ASGIApp

from modules.chat.tools.extension import ExtensionTool
from modules.chat.tools.toolbox import ToolBox
from modules.chat.tools.web import WebTools
from modules.extend.contributions import Announce
from modules.extend.extensions import Extensions
from modules.knowledge.memory_tools import memory_tools
from modules.knowledge.tools import knowledge_tool
from modules.runtime import Runtime
from modules.serving.addressing import own_names
from modules.serving.server import OrderlyServer, server_config
from modules.serving.sockets import listen, url_of
from modules.settings.values import Settings
from modules.ui.app import build_blocks, mount
from modules.ui.page.image_tool import image_tool
from modules.ui.page.page import Page
from modules.ui.shell.assets import AssetDelivery
from modules.ui.shell.blocks import PageBlocks
from modules.ui.shell.document import PageDocument
from modules.ui.shell.guard import Guard
from modules.ui.shell.initial_values import InitialValues
from modules.ui.shell.internals import gradio_app, takes_foreign_files, use_own_folder
from modules.ui.shell.paths import SignedInUsers
from modules.ui.shell.share import shared
from modules.ui.shell.surface import UntestedGradio

_UNGUARDED: Final = "Other machines can reach the web UI, and it has no password. Set --gradio-auth name:password."


async def serve_page(runtime: Runtime, extensions: Extensions, *, announce: Announce) -> None:
    """Serves until it is cancelled. Raises SettingsError when the port, the address or the certificate cannot be used.
    Where Gradio lacks what guards the page, that is announced, and other services go on."""
    try:
        await _serve(runtime, extensions, announce)
    except UntestedGradio as refusal:
        announce(refusal.message)
        await extensions.services.until_all_ended()


async def _serve(runtime: Runtime, extensions: Extensions, announce: Announce) -> None:
    settings = _with_password(runtime.settings, announce)
    use_own_folder(settings.user_data.cache / "gradio")
    listeners = listen(settings.page_addresses, settings.listen_port, setting="listen_port")
    async with AsyncExitStack() as stack:
        for listener in listeners:
            stack.enter_context(listener)
        tools = await stack.enter_async_context(
            aclosing(
                ToolBox(
                    runtime.data,
                    mcp_servers=settings.mcp_servers,
                    extension_tools=extensions.tools,
                    # What they keep and read is the owner's, and visitors are kept apart.
                    program_tools=[] if settings.multi_user else _program_tools(runtime),
                    web=None if settings.multi_user else WebTools(settings.searxng_url),
                )
            )
        )
        page = await stack.enter_async_context(aclosing(Page(runtime, extensions, tools)))
        blocks = await asyncio.to_thread(_built, page)
        app = mount(page, blocks, settings)
        if await takes_foreign_files(blocks):
            raise UntestedGradio("now events may name files that were not uploaded")
        names = None if settings.listen or settings.share else own_names(settings.api_allowed_hosts)
        closing: asyncio.Event = gradio_app(app).stop_event
        delivery = AssetDelivery(
            app, has_streams=any(getattr(part, "streaming", False) for part in blocks.blocks.values())
        )
        front = PageDocument(delivery, InitialValues(blocks, page.fills), is_open=not settings.passwords)
        guard = Guard(front, names, SignedInUsers(app))
        config = server_config(guard, settings, lifespan="on", root_path=settings.subpath)
        server = OrderlyServer(config, closing)
        url = url_of(listeners[0], is_secure=server.config.is_ssl)
        await _visit(front, url, settings.subpath)
        announce(f"Web UI: {url}")
        if names is None and not settings.passwords:
            announce(_UNGUARDED)
        if settings.share:
            await stack.enter_async_context(shared(listeners[0].getsockname()[1], announce))
        if settings.auto_launch:
            await asyncio.to_thread(webbrowser.open, url)
        ending = asyncio.create_task(_end_replies(closing, page))
        try:
            await server.serve_in_order(listeners)
        finally:
            ending.cancel()
            await asyncio.wait([ending])


def _program_tools(runtime: Runtime) -> list[ExtensionTool]:
    return [image_tool(runtime), knowledge_tool(runtime.knowledge), *memory_tools(runtime.library.memory)]


async def _visit(app: ASGIApp, url: str, root_path: str) -> None:
    """Gradio and FastAPI finish much of their work when they are asked for something: here, before anybody waits."""
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False, root_path=root_path)
    async with httpx2.AsyncClient(transport=transport, base_url=url) as visitor:
        for path in ("/", "/gradio_api/looked-for-everywhere"):
            await visitor.get(path)


async def _end_replies(closing: asyncio.Event, page: Page) -> None:
    """Once the page is to end, what tabs follow ends too, so that none holds up the end."""
    await closing.wait()
    page.list_changes.close()
    await page.active_replies.aclose()


def _built(page: Page) -> PageBlocks:
    """Takes about a second, in which the event loop does other things. Gradio makes itself a loop, and never closes it,
    wherever none is running."""

    async def build() -> PageBlocks:
        return build_blocks(page)

    return asyncio.run(build())


def _with_password(settings: Settings, announce: Announce) -> Settings:
    """A page that the whole internet can reach asks for a password."""
    if not settings.share or settings.passwords:
        return settings
    password = secrets.token_urlsafe(9)
    announce(f"--share is given without --gradio-auth. Until the next start, log in as: user, password: {password}")
    return settings.with_changes({"gradio_auth": f"user:{password}"})
