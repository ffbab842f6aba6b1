"""The form of one character or profile: its components, and what its buttons do."""

import asyncio
import html
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, TypeAlias

import gradio as gr
from gradio.components import Component

from modules.errors import BadRequest
from modules.ui.characters.book_table import HEADERS, TYPES
from modules.ui.characters.fields import FieldKind, FieldValue, FormField, empty_value
from modules.ui.characters.pictures import copy_for_page, taken_in
from modules.ui.characters.stores import DeletedFile, FormContent, FormStore, check_new, name_for_new
from modules.ui.page.access import check_saves
from modules.ui.page.menus import name_menu
from modules.ui.page.page import Page, notify_errors
from modules.ui.shell.internals import cache_folder

Shown: TypeAlias = dict[Component, Any]

# In pixels: the picture stands beside the fields without making the form scroll.
_PICTURE_HEIGHT: Final = 260


@dataclass(frozen=True, slots=True, kw_only=True)
class FormParts:
    """`source` is the file that the form shows, which is another one than `menu` says while a choice is on its way."""

    menu: gr.Dropdown
    source: gr.Textbox
    new: gr.Button
    name: gr.Textbox
    texts: tuple[Component, ...]
    picture: gr.Image
    save: gr.Button
    save_as: gr.Button
    discard: gr.Button
    delete: gr.Button
    file: gr.Textbox
    confirmation: gr.Row
    confirm: gr.Button
    keep: gr.Button
    undo: gr.Button
    removed: gr.State

    @property
    def entered(self) -> list[Component]:
        """In the order in which the handlers take them."""
        return [self.menu, self.source, self.picture, self.name, *self.texts]

    @property
    def outputs(self) -> list[Component]:
        return [*self.entered, self.file, self.confirmation, self.undo, self.removed]


def form_parts(store: FormStore, *, can_save: bool) -> FormParts:
    noun, prefix = store.noun, store.setting
    with gr.Row(elem_classes="tight"):
        menu = name_menu(label=noun.capitalize(), elem_id=f"{prefix}-menu", scale=4)
        new = gr.Button("New", size="sm", scale=0, min_width=90, elem_id=f"{prefix}-new")
        source = gr.Textbox("", visible="hidden", elem_id=f"{prefix}-source")
    with gr.Row():
        with gr.Column(scale=3, min_width=280):
            name = gr.Textbox(label="Name", info="Name shown in chats.", max_lines=1, elem_id=f"{prefix}-name")
            texts = _fields(store)
        with gr.Column(scale=1, min_width=200):
            picture = gr.Image(
                label="Picture",
                type="filepath",
                image_mode=None,
                sources=["upload", "clipboard"],
                buttons=[],
                height=_PICTURE_HEIGHT,
                elem_id=f"{prefix}-picture",
            )
    with gr.Row(elem_classes="tight"):
        save = _button("Save", f"{prefix}-save", can_save, variant="primary")
        save_as = _button("Save as …", f"{prefix}-save-as", can_save)
        discard = _button("Discard changes", f"{prefix}-discard", True)
        delete = _button("Delete", f"{prefix}-delete", can_save)
        undo = gr.Button("Undo delete", size="sm", min_width=60, visible=False, elem_id=f"{prefix}-undo")
    file = gr.Textbox(
        label=f"File name of the new {noun}, then Enter", visible=False, max_length=100, elem_id=f"{prefix}-file"
    )
    with gr.Row(visible=False, elem_classes="tight", elem_id=f"{prefix}-confirmation") as confirmation:
        confirm = gr.Button(f"Delete this {noun}", size="sm", variant="stop", elem_id=f"{prefix}-confirm")
        keep = gr.Button("Cancel", size="sm", elem_id=f"{prefix}-keep")
    return FormParts(
        menu=menu,
        source=source,
        new=new,
        name=name,
        texts=texts,
        picture=picture,
        save=save,
        save_as=save_as,
        discard=discard,
        delete=delete,
        file=file,
        confirmation=confirmation,
        confirm=confirm,
        keep=keep,
        undo=undo,
        removed=gr.State(None),
    )


class Form:
    """Handlers return what is to be shown. Whatever writes asks first whether this page may."""

    def __init__(self, page: Page, store: FormStore, parts: FormParts) -> None:
        self._page = page
        self._store = store
        self._parts = parts

    async def entered(self, file: str | None, name: str) -> Shown:
        """Somebody comes to the form: the first time it is filled; later only the menu is, for there may be new files."""
        if not file and not name:
            return await self.opened()
        return {self._parts.menu: gr.Dropdown(choices=_with(await asyncio.to_thread(self._store.names), file))}

    async def opened(self) -> Shown:
        """With the one that chats use."""
        chosen = str(getattr(self._page.settings, self._store.setting))
        try:
            return await self._filled(chosen)
        except BadRequest:
            names = await asyncio.to_thread(self._store.names)
            return await self._filled(next(iter(names), None))

    async def chosen(self, file: str | None) -> Shown:
        return await notify_errors(self._filled(file))

    async def blank(self) -> Shown:
        return await notify_errors(self._filled(None))

    async def save(self, file: str | None, source: str, picture: str | None, name: str, *texts: FieldValue) -> Shown:
        return await notify_errors(self._saved_shown(file, source, picture, FormContent(name=name, texts=texts)))

    async def save_as(
        self, new: str, file: str | None, source: str, picture: str | None, name: str, *texts: FieldValue
    ) -> Shown:
        sheet = FormContent(name=name, texts=texts)
        return await notify_errors(self._saved_as(new, source or None, picture, sheet))

    def ask_file(self, name: str) -> Shown:
        return {self._parts.file: gr.Textbox(value=name.strip(), visible=True)}

    def ask_delete(self, file: str | None) -> Shown:
        return {self._parts.confirmation: gr.Row(visible=bool(file))}

    def keep(self) -> Shown:
        return {self._parts.confirmation: gr.Row(visible=False)}

    async def delete(self, file: str | None, source: str) -> Shown:
        return await notify_errors(self._deleted(file, source))

    async def undo(self, removed: DeletedFile | None) -> Shown:
        return await notify_errors(self._restored(removed))

    async def added(self, file: str) -> Shown:
        """What is shown once `file` has come from elsewhere."""
        return await notify_errors(self._filled(file))

    async def _filled(self, file: str | None) -> Shown:
        sheet = await asyncio.to_thread(self._store.read, file) if file else _empty(self._store)
        names = await asyncio.to_thread(self._store.names)
        parts = self._parts
        picture = await asyncio.to_thread(copy_for_page, sheet.picture, cache_folder(parts.picture))
        shown: Shown = {
            parts.menu: gr.Dropdown(choices=_with(names, file), value=file or None),
            parts.source: file or "",
            parts.name: sheet.name,
            parts.picture: picture,
            parts.file: gr.Textbox(visible=False),
            parts.confirmation: gr.Row(visible=False),
        }
        return shown | dict(zip(parts.texts, sheet.texts, strict=True))

    async def _saved_shown(self, file: str | None, source: str, picture: str | None, sheet: FormContent) -> Shown:
        _check_shown(file, source, "saved")
        return await self._saved(file, file, picture, sheet)

    async def _saved(self, file: str | None, source: str | None, picture: str | None, sheet: FormContent) -> Shown:
        """`source` is the one that the form was filled with, `file` the one to write: a new one, called after the
        name, where there is none."""
        store = self._store
        check_saves(self._page.settings)
        if not sheet.name.strip():
            raise BadRequest(f"Give the {store.noun} a name.", param=store.setting)
        new = "" if file else await asyncio.to_thread(name_for_new, store, sheet.name)
        target = file or new
        shown = (await asyncio.to_thread(store.read, source)).picture if source else None
        content = await taken_in(picture, shown, is_copy=source != target)
        stripped = FormContent(name=sheet.name.strip(), texts=tuple(map(_stripped, sheet.texts)))
        await asyncio.to_thread(store.save, target, stripped, content, source)
        gr.Info(f"The {store.noun} is saved as {html.escape(target)}.", duration=3)
        return await self._filled(target)

    async def _saved_as(self, new: str, source: str | None, picture: str | None, sheet: FormContent) -> Shown:
        check_saves(self._page.settings)
        file = await asyncio.to_thread(check_new, self._store, new)
        return await self._saved(file, source, picture, sheet)

    async def _deleted(self, file: str | None, source: str) -> Shown:
        check_saves(self._page.settings)
        if not file:
            raise BadRequest(f"Choose the {self._store.noun} to delete.", param=self._store.setting)
        _check_shown(file, source, "deleted")
        removed = await asyncio.to_thread(self._store.delete, file)
        names = await asyncio.to_thread(self._store.names)
        shown = await self._filled(next(iter(names), None))
        return shown | {self._parts.undo: gr.Button(visible=True), self._parts.removed: removed}

    async def _restored(self, removed: DeletedFile | None) -> Shown:
        check_saves(self._page.settings)
        if removed is None:
            raise BadRequest("There is nothing to restore.")
        await asyncio.to_thread(self._store.restore, removed)
        shown = await self._filled(removed.file)
        return shown | {self._parts.undo: gr.Button(visible=False), self._parts.removed: None}


def _check_shown(file: str | None, source: str, done: str) -> None:
    """Raises BadRequest where the texts of the form are those of another file than the chosen one."""
    if (file or "") != source:
        raise BadRequest(f"{file or 'A new one'} was not shown yet, so nothing was {done}. Try again.")


def _empty(store: FormStore) -> FormContent:
    return FormContent(texts=tuple(map(empty_value, store.fields)))


def _stripped(value: FieldValue) -> FieldValue:
    return value.strip() if isinstance(value, str) else value


def _with(names: Sequence[str], chosen: str | None) -> list[str]:
    return [*names] if not chosen or chosen in names else [chosen, *names]


def _fields(store: FormStore) -> tuple[Component, ...]:
    """In tabs, where they have some."""
    if not store.fields[0].tab:
        return tuple(_field(store, field) for field in store.fields)
    built: list[Component] = []
    with gr.Tabs(elem_id=f"{store.setting}-fields"):
        for title, fields in groupby(store.fields, key=lambda field: field.tab):
            with gr.Tab(title, id=title, render_children=True):
                built += [_field(store, field) for field in fields]
    return tuple(built)


def _field(store: FormStore, field: FormField) -> Component:
    name = f"{store.setting}-{field.name.replace('_', '-')}"
    if field.kind is FieldKind.BOOK:
        gr.Markdown(field.info)
        return gr.Dataframe(
            headers=HEADERS,
            datatype=TYPES,
            type="array",
            label=field.label,
            show_label=False,
            wrap=True,
            interactive=True,
            column_count=(len(HEADERS), "fixed"),
            column_widths=["90px", "130px", "170px", "260px", "120px", "80px", "60px"],
            max_height=480,
            elem_id=name,
        )
    return gr.Textbox(label=field.label, info=field.info or None, lines=field.lines, max_lines=30, elem_id=name)


def _button(label: str, name: str, is_usable: bool, **more: str) -> gr.Button:
    return gr.Button(label, size="sm", min_width=60, interactive=is_usable, elem_id=name, **more)
