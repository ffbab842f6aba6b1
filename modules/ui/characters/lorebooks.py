"""Which lorebooks the page's chats use: in the inspector, beside the character."""

import asyncio
from collections.abc import Mapping

import gradio as gr
from gradio.components import Component

from modules.ui.page.menus import name_menu
from modules.ui.page.page import Page


def lorebook_controls(page: Page) -> None:
    """To be called where they shall stand."""
    settings, add = page.settings, page.inputs.add
    with gr.Accordion("Lorebooks", open=False, elem_id="lorebooks-part"):
        add(
            "use_lorebooks",
            gr.Checkbox(
                settings.use_lorebooks,
                label="Use lorebooks",
                info="Entries whose keys were said lately join the prompt, the character's own among them.",
                elem_id="use-lorebooks",
            ),
        )
        menu = name_menu(
            list(settings.lorebooks),
            value=list(settings.lorebooks),
            multiselect=True,
            label="More lorebooks",
            info="From user_data/lorebooks: SillyTavern's World Info, and files of V3.",
            elem_id="lorebooks",
        )
        add("lorebooks", menu)

    async def listed(chosen: list[str]) -> Mapping[Component, object]:
        """Of those that were chosen, the ones that are still there."""
        there = await asyncio.to_thread(page.runtime.library.lorebooks.names)
        kept = [name for name in chosen or [] if name in there]
        return {menu: gr.Dropdown(choices=there, value=kept)}

    page.on_files_change("lorebook", listed, [menu], [menu])

    async def names() -> Mapping[Component, object]:
        return {menu: gr.Dropdown(choices=await asyncio.to_thread(page.runtime.library.lorebooks.names))}

    page.fill_in(names, [menu])
