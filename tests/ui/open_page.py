"""A page over a running program with the scripted model, for handlers that are called as plain functions."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component
from starlette.requests import Request

from modules.chat.tools.toolbox import ToolBox
from modules.models.state import Status
from modules.settings.values import Settings
from modules.ui.page.page import Page
from tests.extend.loaded import running


@asynccontextmanager
async def open_page(folder: Path, **settings: Any) -> AsyncIterator[Page]:
    """Once its model is loaded; extensions are loaded as at a real start."""
    values = {"loader": "scripted", "user_data_dir": folder, "api_port": 0, **settings}
    async with running(Settings.model_validate(values)) as (runtime, extensions):
        async for state in runtime.models.changes():
            if state.status is Status.READY:
                break
        page = Page(runtime, extensions, ToolBox(runtime.data))
        try:
            yield page
        finally:
            await page.aclose()


def asked_from(host: str = "127.0.0.1:7860", **headers: str) -> gr.Request:
    """What Gradio hands to a handler of an event that a browser sent."""
    named = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    raw = [(name.encode(), value.encode()) for name, value in named.items()]
    return gr.Request(request=Request({"type": "http", "headers": raw}))


@dataclass
class Seen:
    """What one browser sees: the values and properties of components, as handlers have left them."""

    values: dict[Component, Any] = field(default_factory=dict)
    properties: dict[Component, dict[str, Any]] = field(default_factory=dict)

    def show(self, shown: dict[Component, Any]) -> None:
        for component, update in shown.items():
            if isinstance(update, dict) and update.get("__type__") == "update":
                changed = {name: value for name, value in update.items() if name != "__type__"}
            elif isinstance(update, gr.blocks.Block):
                changed = dict(update.constructor_args)
            else:
                changed = {"value": update}
            if "value" in changed:
                self.values[component] = changed.pop("value")
            self.properties.setdefault(component, {}).update(changed)
