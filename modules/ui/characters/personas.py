"""The user's personas as cards with pictures: a press chooses one for the chat that is open."""

import asyncio
import json
from typing import Any, Final

import gradio as gr

from modules.errors import BadRequest
from modules.library.characters.pictures import MAX_PICTURE_BYTES
from modules.library.text_files import read_bytes
from modules.library.users import DEFAULT_USER, UserProfiles
from modules.requests import Mode
from modules.ui.characters.form import Form, FormParts, Shown
from modules.ui.characters.grid import MOST_TEXT
from modules.ui.characters.pictures import avatar
from modules.ui.characters.stores import UserStore, name_for_new
from modules.ui.page.access import check_saves
from modules.ui.page.page import Page, notify_errors
from modules.ui.page.thumbnails import Thumbnails
from modules.ui.shell.internals import sent_data

_QUIET: Final = {"show_progress": "hidden", "api_visibility": "private"}
_GRID: Final = """
window.personaGrid.connect(element, (act) => trigger('submit', act), () => props.value);
watch('value', () => window.personaGrid.draw());
"""
_AFTER: Final = "() => window.personaGrid.after()"
_ASSISTANT: Final = "Personas speak with characters. Choose one in the inspector, under Chat."


def persona_grid() -> gr.HTML:
    """To be called where it shall stand."""
    return gr.HTML(
        "",
        html_template='<div class="character-grid"></div>',
        js_on_load=_GRID,
        elem_id="persona-grid",
        padding=False,
        apply_default_css=False,
    )


class PersonaActs:
    """The editor below the grid shows what was edited or copied last."""

    def __init__(self, page: Page, form: Form, parts: FormParts, grid: gr.HTML) -> None:
        self._page = page
        self._form = form
        self._parts = parts
        self._grid = grid
        self._users: UserProfiles = page.runtime.library.users
        self._thumbnails = Thumbnails()

    def connect(self, changes: list[Any], *tabs: gr.Tab) -> None:
        """Once all tabs are built: the grid shows what there is; what its menu does is one of `changes`, too."""
        grid, menu = self._grid, self._page.inputs["user"]
        acted = grid.submit(self.act, [self._parts.menu], [*self._parts.outputs, grid, menu], **_QUIET)
        acted.success(None, None, None, js=_AFTER, api_visibility="private")
        changes.append(acted)
        for tab in tabs:
            tab.select(self.shown, None, [grid], **_QUIET)
        for change in changes:
            change.success(self.shown, None, [grid], **_QUIET)

    async def shown(self) -> str:
        return json.dumps(await asyncio.to_thread(self._cards), ensure_ascii=False)

    async def act(self, shown: str | None, event: gr.EventData) -> Shown:
        asked = sent_data(event)
        return await notify_errors(self._acted(str(asked.get("act")), str(asked.get("file") or "")))

    async def _acted(self, act: str, file: str) -> Shown:
        match act:
            case "choose":
                return await self._chosen(file)
            case "edit":
                return await self._form.chosen(file)
            case "duplicate":
                return await self._form.chosen(await asyncio.to_thread(self._copied, file))
            case "delete":
                return await self._form.delete(file, file)
        raise BadRequest("The page asked for something that cannot be done with a persona.")

    async def _chosen(self, file: str) -> Shown:
        """As if it was chosen in the inspector, whose menu tells the chat."""
        await asyncio.to_thread(self._users.read, file)
        settings = self._page.saved_settings.remember({"user": file})
        names = await asyncio.to_thread(self._users.names)
        is_assistant = Mode(settings.mode) is Mode.INSTRUCT
        if is_assistant:
            gr.Info(_ASSISTANT)
        menu = gr.Dropdown(choices=names if file in names else [file, *names], value=file, visible=not is_assistant)
        return {self._page.inputs["user"]: menu, self._grid: await self.shown()}

    def _cards(self) -> list[dict[str, Any]]:
        """The one that there is without a file among them."""
        chosen, names = self._page.settings.user, self._users.names()
        cards = [{**self._card(name), "chosen": name == chosen} for name in names]
        if DEFAULT_USER in names:
            return cards
        return [{**self._card(DEFAULT_USER), "chosen": chosen == DEFAULT_USER, "fixed": True}, *cards]

    def _card(self, file: str) -> dict[str, Any]:
        """A damaged file is shown with what is wrong with it."""
        try:
            user = self._users.read(file)
        except BadRequest as error:
            return {"file": file, "name": file, "text": error.message, "tags": [], "picture": "", "broken": True}
        text = " ".join(user.bio.split())[:MOST_TEXT].replace("{{user}}", user.name)
        picture = avatar(user.picture, self._thumbnails)
        return {"file": file, "name": user.name, "text": text, "tags": [], "picture": picture, "broken": False}

    def _copied(self, file: str) -> str:
        check_saves(self._page.settings)
        user = self._users.read(file)
        picture = None if user.picture is None else read_bytes(user.picture, limit=MAX_PICTURE_BYTES)
        name = name_for_new(UserStore(self._users), file)
        self._users.save(name, user, picture=picture)
        return name
