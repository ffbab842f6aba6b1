"""The button that says how much of prompts and replies is kept on disk, and deletes it."""

import asyncio
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.backends.kv.disk.kept import KeptPrefixes
from modules.models.downloads.plan import shown_size
from modules.ui.page.languages import text
from modules.ui.page.page import Page, notify_errors

Shown = dict[Component, Any]
_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 1}


def kept_button() -> gr.Button:
    """It is there when there is something to delete, whether more is to be kept or not."""
    return gr.Button("", size="sm", elem_id="delete-kept", visible=False)


class KeptOnDisk:
    """Handlers of events."""

    def __init__(self, kept: KeptPrefixes, button: gr.Button) -> None:
        self._kept = kept
        self._button = button

    async def shown(self) -> Shown:
        size = await asyncio.to_thread(self._kept.size)
        said = text("Delete what is kept on disk ({size})", size=shown_size(size))
        return {self._button: gr.update(value=said, visible=size > 0)}

    async def deleted(self) -> Shown:
        freed = await notify_errors(self._kept.delete())
        gr.Info(text("Deleted what was kept on disk ({size}).", size=shown_size(freed)), duration=4)
        return await self.shown()


def connect_kept(page: Page, tab: gr.Tab, button: gr.Button, refresh: gr.Button) -> None:
    """What models keep goes on growing: it is measured again for who comes to `tab`, or asks for it."""
    handlers = KeptOnDisk(page.runtime.kept_prefixes, button)
    page.fill_in(handlers.shown, [button])
    gr.on([tab.select, refresh.click], handlers.shown, None, [button], **_QUIET)
    page.on_model_change(handlers.shown, [button])
    button.click(handlers.deleted, None, [button], **_QUIET)
