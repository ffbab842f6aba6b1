"""The page as Gradio blocks: its tabs in order, what they look like, and the app that serves them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import gradio as gr
from fastapi import FastAPI

from modules.settings.values import Settings
from modules.ui.branches.info import info_parts
from modules.ui.branches.parts import branch_parts, probabilities_switch
from modules.ui.characters.dropping import card_drop
from modules.ui.characters.lorebooks import lorebook_controls
from modules.ui.characters.tab import build_character
from modules.ui.chat.layout.chat_list import chat_list
from modules.ui.chat.layout.controls import controls, further_controls
from modules.ui.chat.layout.conversation import conversation
from modules.ui.chat.layout.files import chat_files
from modules.ui.chat.layout.parts import ChatParts
from modules.ui.chat.layout.tools import tool_parts
from modules.ui.chat.tab import connect_chat
from modules.ui.frame.about import build_about, build_data
from modules.ui.frame.appearance import appearance
from modules.ui.frame.header import header
from modules.ui.frame.inspector import extension_blocks, inspector, inspector_tab
from modules.ui.frame.level import level_bridge, more_for_experts
from modules.ui.frame.navigation import Section, navigation, skip_link
from modules.ui.frame.settings import SETTINGS_TAB, SettingsPage, build_settings
from modules.ui.frame.theme import theme
from modules.ui.images.tab import build_images
from modules.ui.model.picker.pill import ModelPill
from modules.ui.model.tab import ModelPages
from modules.ui.notebook.tab import build_notebook
from modules.ui.page.dictation import add_dictation
from modules.ui.page.news import add_news
from modules.ui.page.page import Page
from modules.ui.page.read_aloud import add_read_aloud
from modules.ui.palette.finder import PaletteFinder
from modules.ui.palette.prompts import build_prompts
from modules.ui.parameters.fields import temperature_at_hand
from modules.ui.parameters.tab import build_sampling
from modules.ui.parameters.template import build_templates
from modules.ui.session.knowledge import build_knowledge
from modules.ui.session.library_files import build_grammars, build_lorebooks, build_presets
from modules.ui.session.memory import build_memory
from modules.ui.session.tab import ProgramPages, build_api
from modules.ui.session.tools import build_tools
from modules.ui.shell.blocks import PageBlocks
from modules.ui.shell.sessions import add_leaving

TITLE: Final = "Local models"
_ASSETS: Final = Path(__file__).parent / "assets"
# Twice what an attachment may have: larger ones are refused by Gradio before they are stored.
_MAX_UPLOAD: Final = "64mb"


def build_blocks(page: Page) -> PageBlocks:
    """Everything on the page. Gradio notes what is built where in one place of the whole process, so only one page may
    be built at a time."""
    pill = ModelPill(page)
    with PageBlocks(title=TITLE, analytics_enabled=False, fill_height=True, fill_width=True) as blocks:
        card_drop(page)
        with gr.Column(elem_id="frame"):
            skip_link()
            level_bridge(page)
            PaletteFinder(page).build()
            with gr.Column(elem_id="left"):
                chats = chat_list(page)
                navigation([_CHAT, *_SECTIONS, *_extension_sections(page)])
            with gr.Column(elem_id="middle"):
                header(pill.build)
                with gr.Tabs(elem_id="tabs"):
                    with _tab(_CHAT) as chat_tab:
                        middle = conversation(page.settings)
                        branches = branch_parts(page.settings)
                    _build_sections(page)
            with inspector():
                with inspector_tab("Chat", "chat", is_first=True):
                    right = controls(page)
                    temperature = temperature_at_hand(page.settings)
                    further_controls(page)
                    lorebook_controls(page)
                with inspector_tab("Sampling", "sampling"):
                    build_sampling(page, temperature)
                    more_for_experts()
                with inspector_tab("Tools", "tools", is_first=True):
                    tools = tool_parts(page)
                with inspector_tab("Info", "info", is_first=True):
                    info = info_parts()
                    probabilities_switch(page)
                extension_blocks(page)
        parts = ChatParts(
            left=chats,
            middle=middle,
            right=right,
            tools=tools,
            branches=branches,
            info=info,
            removed=gr.State(None),
            tab=chat_tab,
        )
        connect_chat(page, parts)
        page.connect()
        pill.connect()
        for fill, outputs in page.openings:
            blocks.load(fill, None, outputs, show_progress="hidden", queue=True, api_visibility="private")
    blocks.queue(default_concurrency_limit=None, api_open=False)
    assert isinstance(blocks, PageBlocks)
    return blocks


def _build_sections(page: Page) -> None:
    for section in _SECTIONS:
        with _tab(section):
            _BUILDERS[section.name](page)
    for section, tab in zip(_extension_sections(page), page.extensions.tabs, strict=True):
        with _tab(section):
            tab.build()


def _settings(page: Page) -> None:
    models, program = ModelPages(page), ProgramPages()
    pages = [
        SettingsPage("General", "general-tab", _general(program), "sliders-horizontal"),
        SettingsPage("Models", "model-tab", models.build_models, "box"),
        SettingsPage("Download", "download-tab", models.build_downloads, "download"),
        SettingsPage("Templates", "template-tab", build_templates, "code", is_expert=True),
        SettingsPage("Prompts", "prompts-tab", build_prompts, "library"),
        SettingsPage("Presets", "presets-tab", build_presets, "sliders-horizontal"),
        SettingsPage("Grammars", "grammars-tab", build_grammars, "code", is_expert=True),
        SettingsPage("Lorebooks", "lorebooks-tab", build_lorebooks, "book-open"),
        SettingsPage("Knowledge", "knowledge-tab", build_knowledge, "book-open"),
        SettingsPage("Memory", "memory-tab", build_memory, "brain"),
        SettingsPage("Tools & MCP", "tools-tab", build_tools, "wrench"),
        SettingsPage("API", "api-tab", build_api, "network"),
        SettingsPage("Extensions", "extensions-tab", program.build_extensions, "puzzle"),
        SettingsPage("Data", "data-tab", _build_data, "database"),
        SettingsPage("About", "about-tab", build_about, "info"),
    ]
    build_settings(page, pages)


def _general(program: ProgramPages) -> Callable[[Page], None]:
    def build(page: Page) -> None:
        appearance()
        program.build_general(page)

    return build


def _build_data(page: Page) -> None:
    chat_files(page)
    build_data(page)


def _tab(section: Section) -> gr.Tab:
    return gr.Tab(section.title, elem_id=section.name, id=section.name)


def _extension_sections(page: Page) -> list[Section]:
    return [Section(tab.title, f"extension-tab-{number}") for number, tab in enumerate(page.extensions.tabs)]


def mount(page: Page, blocks: PageBlocks, settings: Settings) -> FastAPI:
    """The app that serves `blocks` at its root; `settings` say to whom."""
    passwords = list(settings.passwords.items())
    own = FastAPI(openapi_url=None)
    add_dictation(own, page.runtime)
    add_read_aloud(own, page)
    add_news(own, page, blocks.app_id)
    add_leaving(own)
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
        theme=theme(),
        css="\n".join((*_assets(".css"), page.extensions.css)),
        head="\n".join(f"<script>\n{each}\n</script>" for each in _scripts(page)),
        js=page.extensions.js or None,
    )
    blocks.begin_use()
    return app


def _scripts(page: Page) -> list[str]:
    """Each runs by itself: one that fails does not take the others with it."""
    settings = page.settings
    look = "system" if "dark_theme" not in settings.explicit else "dark" if settings.dark_theme else "light"
    is_open = settings.show_controls and "show_controls" in settings.explicit
    preferred = f"window.preferredLook = '{look}';\nwindow.preferredInspector = {str(is_open).lower()};"
    return [preferred, *_assets(".js")]


def _assets(suffix: str) -> list[str]:
    """Those at the top and those of the areas, each a folder; what lies in `parts` is put where it belongs by its own."""
    found = (path for path in _ASSETS.rglob(f"*{suffix}") if path.parent.name != "parts")
    return [path.read_text(encoding="utf-8") for path in sorted(found)]


_CHAT: Final = Section("Chat", "chat-tab", "message-square")
_SECTIONS: Final = (
    Section("Notebook", "notebook-tab", "notebook-pen"),
    Section("Characters", "character-tab", "users"),
    Section("Images", "images-tab", "image"),
    Section("Settings", SETTINGS_TAB, "settings"),
)
_BUILDERS: Final[Mapping[str, Callable[[Page], None]]] = {
    "notebook-tab": build_notebook,
    "character-tab": build_character,
    "images-tab": build_images,
    SETTINGS_TAB: _settings,
}
