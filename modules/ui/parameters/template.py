"""Instruction templates: read, save, delete, and which one the loaded model uses."""

import asyncio
from typing import Final

import gradio as gr
from gradio.components import Component

from modules.engine.types import ModelCard
from modules.errors import BadRequest, NotLoaded
from modules.library.library import Library
from modules.prompt.templates.choice import DIALOGUE
from modules.settings.values import OPTIONS, Settings
from modules.ui.page.languages import text
from modules.ui.page.page import Page, notify_errors
from modules.ui.parameters.menu import QUIET, Entered, FileMenu, Shown

_DIALOGUE: Final = "chat_template_str"
_NO_MODEL: Final = "No model is loaded."


def build_templates(page: Page) -> None:
    """To be called within the tab."""
    templates = Templates(page)
    page.on_ready(templates.connect)


class Templates:
    def __init__(self, page: Page) -> None:
        self._page = page
        with gr.Row():
            with gr.Column(min_width=320):
                self.in_use = gr.Markdown(_NO_MODEL, elem_id="template-in-use")
                templates = page.runtime.library.templates
                self.menu = FileMenu(page, templates, "instruction template", self._read, self._save)
                self.source = gr.Textbox(
                    label="Instruction template (Jinja)",
                    lines=14,
                    max_lines=30,
                    elem_id="template-source",
                    elem_classes="source",
                )
                with gr.Row(elem_classes="tight"):
                    self._use = gr.Button("Use for the loaded model", size="sm", elem_id="use-template")
                    self._leave = gr.Button("Use the model's own", size="sm", elem_id="leave-template")
                    self._show = gr.Button("Load the model's own into the editor", size="sm", elem_id="show-template")
            with gr.Column(min_width=320):
                self._dialogue = gr.Textbox(
                    page.settings.chat_template_str,
                    label="Chat template (Jinja)",
                    info=OPTIONS[_DIALOGUE].description,
                    lines=14,
                    max_lines=30,
                    elem_id="dialogue-source",
                    elem_classes="source",
                )
                page.inputs.add(_DIALOGUE, self._dialogue)
                self._built_in = gr.Button("Reset to the built-in template", size="sm", elem_id="built-in-dialogue")

    def connect(self) -> None:
        menu, source, in_use = self.menu, self.source, self.in_use
        menu.connect([source], {source})
        self._use.click(self.use, [menu.menu], [in_use], **QUIET)
        self._leave.click(self.leave, None, [in_use], **QUIET)
        self._show.click(self.show, None, [source, menu.menu], **QUIET)
        self._built_in.click(self.begin_dialogue, None, [self._dialogue], **QUIET)
        self._dialogue.blur(self.note_dialogue, [self._dialogue], None, **QUIET)
        self._page.fill_in(self.opened, [*menu.components, in_use, self._dialogue])

    async def opened(self) -> Shown:
        return {
            **await self.menu.listed(None),
            **await self._told_in_use(),
            self._dialogue: self._page.settings.chat_template_str,
        }

    async def use(self, name: str | None) -> Shown:
        """The model is used with the file `name` from now on, whenever it is loaded."""
        return await notify_errors(self._used(name))

    async def leave(self) -> Shown:
        """The model's own template counts again."""
        return await notify_errors(self._left())

    async def show(self) -> Shown:
        return await notify_errors(self._shown())

    async def begin_dialogue(self) -> str:
        self._page.saved_settings.remember({_DIALOGUE: DIALOGUE.source})
        return DIALOGUE.source

    async def note_dialogue(self, source: str) -> None:
        self._page.saved_settings.remember({_DIALOGUE: source})

    async def _used(self, name: str | None) -> Shown:
        if not name:
            raise BadRequest("Choose a template first, or save the one that you have written.")
        templates = self._page.runtime.library.templates
        await asyncio.to_thread(templates.read, name)
        return await self._choose(name)

    async def _left(self) -> Shown:
        return await self._choose(None)

    async def _choose(self, name: str | None) -> Shown:
        self.menu.refuse_shared()
        model = self._card().name
        await asyncio.to_thread(self._page.runtime.library.model_settings.choose_template, model, name)
        return await self._told_in_use()

    async def _shown(self) -> Shown:
        card = self._card()
        if not card.chat_template:
            raise BadRequest(f"{card.name} brings no template of its own.")
        return {self.source: card.chat_template, self.menu.menu: gr.Dropdown(value=None)}

    async def _read(self, name: str) -> dict[Component, object]:
        return {self.source: await asyncio.to_thread(self._page.runtime.library.templates.read, name)}

    async def _save(self, name: str, entered: Entered) -> None:
        source = str(entered[self.source])
        if not source.strip():
            raise BadRequest("There is no template to save yet.")
        await asyncio.to_thread(self._page.runtime.library.templates.save, name, source)

    async def _told_in_use(self) -> Shown:
        runtime = self._page.runtime
        text = await notify_errors(
            asyncio.to_thread(template_in_use, runtime.models.state.card, runtime.library, runtime.settings)
        )
        return {self.in_use: text}

    def _card(self) -> ModelCard:
        card = self._page.runtime.models.state.card
        if card is None:
            raise NotLoaded("No model is loaded. Choose one at the top of the page first.")
        return card


def template_in_use(card: ModelCard | None, library: Library, settings: Settings) -> str:
    """Which template conversations with the model are written with, in a sentence. Reads files."""
    if card is None:
        return _NO_MODEL
    if settings.chat_template_file is not None:
        return f"All models are used with the file {settings.chat_template_file.name} (--chat-template-file)."
    if card.instruction_template:
        return f"{card.name} was loaded with a template of the request that loaded it."
    if chosen := library.model_settings.own_template(card.name):
        return text(
            "{name} is used with the template {template}, which you have chosen.", name=card.name, template=chosen
        )
    if card.chat_template:
        return text("{name} is used with its own template.", name=card.name)
    suggested = library.model_settings.suggested_template(card.name)
    return text(
        "{name} brings no template. It is used with {template}.", name=card.name, template=suggested or "Alpaca"
    )
