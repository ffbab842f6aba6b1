"""The page as Gradio blocks: its tabs in order, what they look like, and the app that serves them."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import gradio as gr
from fastapi import FastAPI
from gradio.themes import Base

from modules.settings.values import Settings
from modules.ui.characters.tab import build_character
from modules.ui.chat.tab import build_chat
from modules.ui.images.tab import build_images
from modules.ui.model.tab import build_model
from modules.ui.notebook.tab import build_notebook
from modules.ui.page.dictation import add_dictation
from modules.ui.page.page import Page
from modules.ui.page.read_aloud import add_read_aloud
from modules.ui.parameters.tab import build_parameters
from modules.ui.session.tab import build_session
from modules.ui.shell.blocks import PageBlocks

TITLE: Final = "Local models"
_ASSETS: Final = Path(__file__).parent / "assets"
# Twice what an attachment may have: larger ones are refused by Gradio before they are stored.
_MAX_UPLOAD: Final = "64mb"


def build_blocks(page: Page) -> PageBlocks:
    """Everything on the page. Gradio notes what is built where in one place of the whole process, so only one page may
    be built at a time."""
    with PageBlocks(title=TITLE, analytics_enabled=False, fill_height=True, fill_width=True) as blocks:
        tabs: list[tuple[str, str, Callable[[Page], None]]] = [("Chat", "chat-tab", build_chat), *_TABS]
        with gr.Tabs(elem_id="tabs"):
            for title, name, build in tabs:
                with gr.Tab(title, elem_id=name, id=name):
                    build(page)
            for tab in page.extensions.tabs:
                with gr.Tab(tab.title):
                    tab.build()
        page.connect()
        for fill, outputs in page.openings:
            blocks.load(fill, None, outputs, show_progress="hidden", queue=True, api_visibility="private")
    blocks.queue(default_concurrency_limit=None, api_open=False)
    assert isinstance(blocks, PageBlocks)
    return blocks


def mount(page: Page, blocks: PageBlocks, settings: Settings) -> FastAPI:
    """The app that serves `blocks` at its root; `settings` say to whom."""
    passwords = list(settings.passwords.items())
    own = FastAPI(openapi_url=None)
    add_dictation(own, page.runtime)
    add_read_aloud(own, page)
    app: FastAPI = gr.mount_gradio_app(
        own,
        blocks,
        path="/",
        auth=passwords or None,
        root_path=settings.subpath or None,
        show_error=False,
        max_file_size=_MAX_UPLOAD,
        ssr_mode=False,
        run_history=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        footer_links=[],
        theme=_theme(),
        css="\n".join((*_assets(".css"), page.extensions.css)),
        head=f"<script>\n{_script(page)}\n</script>",
        js=page.extensions.js or None,
    )
    blocks.begin_use()
    return app


def _script(page: Page) -> str:
    settings = page.settings
    look = "system" if "dark_theme" not in settings.explicit else "dark" if settings.dark_theme else "light"
    return "\n".join((f"window.preferredLook = '{look}';", *_assets(".js")))


def _theme() -> Base:
    """System fonts: nothing is fetched from elsewhere, and nothing flickers."""
    return Base(
        primary_hue="indigo",
        neutral_hue="slate",
        radius_size="md",
        font=("system-ui", "sans-serif"),
        font_mono=("ui-monospace", "monospace"),
    )


def _assets(suffix: str) -> list[str]:
    """Those at the top and those of the areas, each a folder; what lies in `parts` is put where it belongs by its own."""
    found = (path for path in _ASSETS.rglob(f"*{suffix}") if path.parent.name != "parts")
    return [path.read_text(encoding="utf-8") for path in sorted(found)]


_TABS: Final[tuple[tuple[str, str, Callable[[Page], None]], ...]] = (
    ("Notebook", "notebook-tab", build_notebook),
    ("Parameters", "parameters-tab", build_parameters),
    ("Character", "character-tab", build_character),
    ("Images", "images-tab", build_images),
    ("Model", "model-tab", build_model),
    ("Session", "session-tab", build_session),
)
