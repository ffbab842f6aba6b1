"""The Character tab: characters and the user's own profiles, written, taken in and given away."""

import asyncio
from typing import Any, Final

import gradio as gr
from gradio.components import Component

from modules.ui.characters.acts import DOWNLOAD, GridActs
from modules.ui.characters.avatars import connect_avatars
from modules.ui.characters.dropping import CHOOSE_FILE
from modules.ui.characters.files import CharacterFiles
from modules.ui.characters.form import Form, FormParts, form_parts
from modules.ui.characters.grid import character_grid
from modules.ui.characters.personas import PersonaActs, persona_grid
from modules.ui.characters.stores import CharacterStore, FormStore, UserStore
from modules.ui.page.page import Page
from modules.ui.shell.internals import cache_folder, current_tab

_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}
_FETCH: Final = f"() => window.fetchFile('{DOWNLOAD}')"


def build_character(page: Page) -> None:
    """To be called within the tab."""
    tab = current_tab()
    library = page.runtime.library
    can_save = not page.settings.multi_user
    changed: list[Any] = []
    with gr.Tabs():
        with gr.Tab("Characters", elem_id="characters-part") as characters:
            grid = character_grid()
            form = _form(page, CharacterStore(library.characters), can_save=can_save)
            acts = GridActs(page, form, form.parts, grid, _files(page, form, can_save=can_save))
            changed += [*form.connect(tab, characters), *acts.connect()]
        with gr.Tab("Personas", elem_id="users-part") as users:
            personas = persona_grid()
            persona = _form(page, UserStore(library.users), can_save=can_save)
            persona_changes = persona.connect(users)
            changed += persona_changes
            persona_acts = PersonaActs(page, persona, persona.parts, personas)
    page.on_ready(lambda: acts.follow(changed, tab, characters))
    page.on_ready(lambda: persona_acts.connect(persona_changes, users))
    page.on_ready(lambda: connect_avatars(page, changed))


class _Follower(Form):
    """A form that the chat's menu of the same setting follows."""

    def __init__(self, page: Page, store: FormStore, parts: FormParts) -> None:
        super().__init__(page, store, parts)
        self.parts = parts

    def connect(self, *tabs: gr.Tab) -> list[Any]:
        """To be filled when one of `tabs` is chosen. Returns the events after which what chats know may have changed."""
        parts, outputs = self.parts, self.parts.outputs
        for each in tabs:
            each.select(self.entered, [parts.menu, parts.name], outputs, **_QUIET)
        parts.menu.input(self.chosen, [parts.menu], outputs, trigger_mode="always_last", **_QUIET)
        parts.discard.click(self.chosen, [parts.menu], outputs, **_QUIET)
        parts.new.click(self.blank, None, outputs, **_QUIET)
        parts.save_as.click(self.ask_file, [parts.name], [parts.file], **_QUIET)
        parts.delete.click(self.ask_delete, [parts.menu], [parts.confirmation], **_QUIET)
        parts.keep.click(self.keep, None, [parts.confirmation], **_QUIET)
        changes = [
            parts.save.click(self.save, parts.entered, outputs, **_QUIET),
            parts.file.submit(self.save_as, [parts.file, *parts.entered], outputs, **_QUIET),
            parts.confirm.click(self.delete, [parts.menu, parts.source], outputs, **_QUIET),
            parts.undo.click(self.undo, [parts.removed], outputs, **_QUIET),
        ]
        for change in changes:
            self.lets_chat_follow(change)
        return changes

    def lets_chat_follow(self, change: Any) -> None:  # noqa: ANN401 - an event of Gradio's
        self._page.on_ready(lambda: self._follow(change))

    def _follow(self, change: Any) -> None:  # noqa: ANN401 - an event of Gradio's
        setting = self._store.setting
        if setting in self._page.inputs:
            menu = self._page.inputs[setting]
            change.success(self.choices, None, [menu], **_QUIET)

    async def choices(self) -> gr.Dropdown:
        """For the chat's menu, whose choice stays, whatever became of it."""
        names = await asyncio.to_thread(self._store.names)
        chosen = str(getattr(self._page.settings, self._store.setting))
        return gr.Dropdown(choices=names if chosen in names else [chosen, *names])


def _form(page: Page, store: FormStore, *, can_save: bool) -> _Follower:
    return _Follower(page, store, form_parts(store, can_save=can_save))


def _files(page: Page, form: _Follower, *, can_save: bool) -> gr.DownloadButton:
    files = CharacterFiles(page, cache_folder(form.parts.picture))
    with gr.Row(elem_classes="tight"):
        upload = gr.Button("Import character", size="sm", interactive=can_save, elem_id="character-upload")
        as_yaml = gr.Button("Export as YAML", size="sm", elem_id="character-yaml")
        as_card = gr.Button("Export as card (PNG)", size="sm", elem_id="character-card")
        # A click on a download button fetches what it had before the click.
        download = gr.DownloadButton(visible="hidden", elem_id=DOWNLOAD)
    menu: list[Component] = [form.parts.menu]
    upload.click(None, None, None, js=CHOOSE_FILE, api_visibility="private")
    for made in (
        as_yaml.click(files.as_yaml, menu, [download], **_QUIET),
        as_card.click(files.as_card, menu, [download], **_QUIET),
    ):
        made.success(None, None, None, js=_FETCH, api_visibility="private")
    return download
